"""What a cosine of the encoder is worth, from paragraphs of an encyclopaedia and their titles."""

import json
import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.bundled.files import read_jsonl
from recipes.bundled.teachers import embedder

PARAGRAPHS, OTHERS = 2_000, 6
TEMPLATES = {
    "es": "Este texto trata de {}.",
    "en": "This text is about {}.",
    "pt": "Este texto trata de {}.",
    "fr": "Ce texte parle de {}.",
}
_TEMPERATURES = np.geomspace(0.01, 0.3, 60)


def calibrate(data: Path, folder: Path, seed: int) -> dict[str, float]:
    """Writes into an encoder's folder how its cosines become scores.

    A paragraph is about its own title and not about the titles of others. The temperature of the
    softmax over its own and some others, and the midpoint and spread of the sigmoid for a title by
    itself, are those under which that is likeliest.

    Args:
        data: folder of the data sets.
        folder: of the encoder.
        seed: of the paragraphs and the other titles.

    Returns:
        how often the own title is the most alike, by the sentence that it is put into.
    """
    embed, rng = embedder(folder), random.Random(seed)
    rows = [row for row in read_jsonl(data / "load/wikipedia-es.jsonl.gz") if row["title"]]
    rows = rng.sample(rows, min(PARAGRAPHS, len(rows)))
    texts = embed([row["text"] for row in rows]).numpy()
    titles = [row["title"] for row in rows]
    others = [[n, *_drawn(rng, titles, n)] for n in range(len(rows))]
    right, cosines = {}, {}
    for sentence in ("{}", TEMPLATES["es"]):
        names = embed([sentence.replace("{}", title) for title in titles]).numpy()
        found = np.einsum("nd,nkd->nk", texts, names[np.array(others)])
        right[sentence] = float((found.argmax(1) == 0).mean())
        cosines[sentence] = found
    worded = cosines[TEMPLATES["es"]]
    midpoint, spread = _sigmoid_of(worded)
    path = folder / "config_sentence_transformers.json"
    told = json.loads(path.read_text(encoding="utf-8")) | {
        "similarity_temperature": round(_temperature_of(worded), 4),
        "similarity_midpoint": round(midpoint, 4),
        "similarity_spread": round(spread, 4),
        "similarity_templates": TEMPLATES,
    }
    path.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return right


def _drawn(rng: random.Random, titles: list[str], own: int) -> list[int]:
    found: list[int] = []
    while len(found) < OTHERS:
        at = rng.randrange(len(titles))
        if titles[at] != titles[own] and at not in found:
            found.append(at)
    return found


def _temperature_of(cosines: NDArray[np.float32]) -> float:
    """The temperature under which the first of each row is the likeliest, shape (rows, names)."""

    def loss(temperature: float) -> float:
        logits = cosines.astype(np.float64) / temperature
        return float((np.log(np.exp(logits).sum(1)) - logits[:, 0]).mean())

    return float(min(_TEMPERATURES, key=loss))


def _sigmoid_of(cosines: NDArray[np.float32]) -> tuple[float, float]:
    """Midpoint and spread under which the first of a row is right and the others are wrong.

    Right and wrong ones count as much as each other, as though half of all labels were right.
    """
    from scipy.optimize import minimize

    right, wrong = cosines[:, 0].astype(np.float64), cosines[:, 1:].astype(np.float64).ravel()

    def loss(told: NDArray[np.float64]) -> float:
        slope, shift = told
        return float(
            np.logaddexp(0, -(slope * right - shift)).mean()
            + np.logaddexp(0, slope * wrong - shift).mean()
        )

    slope, shift = minimize(loss, np.array([10.0, 3.0])).x
    return float(shift / slope), float(1 / slope)
