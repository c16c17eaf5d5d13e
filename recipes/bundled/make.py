"""Makes the two models that ship with the project; about an hour on two CPU cores.

pip install '.[train]'
python -m recipes.bundled.make --data ../shared/data --out data/models
"""

import argparse
import logging
import sys
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from nocturna.tasks.errors import NocturnaError
from recipes.bundled.bundle import (
    ENCODER_FOLDER,
    SENTIMENT_FOLDER,
    load_encoder,
    train_encoder,
    train_sentiment,
)
from recipes.bundled.recipe import EncoderRecipe, SentimentRecipe
from recipes.bundled.sources import read_sources
from recipes.bundled.teacher import load_teacher


@task(name="encoder", cache_policy=NO_CACHE)
def make_encoder(data: Path, out: Path, recipe: EncoderRecipe, cache: Path | None) -> None:
    train_encoder(read_sources(data), load_teacher(), recipe, out / ENCODER_FOLDER, cache)


@task(name="sentiment", cache_policy=NO_CACHE)
def make_sentiment(data: Path, out: Path, recipe: SentimentRecipe) -> None:
    encoder = load_encoder(out / ENCODER_FOLDER)
    train_sentiment(read_sources(data), encoder, load_teacher(), recipe, out / SENTIMENT_FOLDER)


@flow(name="train-bundled", validate_parameters=False)
def train_bundled(
    data: Path,
    out: Path,
    only: str | None = None,
    cache: Path | None = None,
    encoder: EncoderRecipe = EncoderRecipe(),  # noqa: B008 - frozen
    sentiment: SentimentRecipe = SentimentRecipe(),  # noqa: B008 - frozen
) -> None:
    """Remake ``encoder-es-en`` and ``sentiment-es-en`` in ``out`` from the sets under ``data``.

    ``only`` names one of the two stages; the sentiment stage starts from the encoder in ``out``.
    ``cache`` is a file that keeps the teacher's embeddings for the next run.

    Raises:
        UsageError: a data file or the teacher is missing.
    """
    if only != "sentiment":
        make_encoder(data, out, encoder, cache)
    if only != "encoder":
        make_sentiment(data, out, sentiment)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m recipes.bundled.make", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument("--out", type=Path, default=Path("data/models"), help="where models go")
    parser.add_argument("--only", choices=("encoder", "sentiment"), help="remake one model")
    parser.add_argument("--cache", type=Path, help="file to keep the teacher's embeddings in")
    options = parser.parse_args(arguments)
    logging.getLogger("recipes.bundled").setLevel(logging.INFO)
    try:
        train_bundled(options.data, options.out, options.only, options.cache)
    except NocturnaError as error:
        print(f"train_bundled: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
