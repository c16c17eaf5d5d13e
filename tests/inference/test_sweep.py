"""Every architecture scores as the pipeline does, one text at a time, or is refused by name."""

import random
import subprocess

import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.architectures import PADDABLE, REFUSED
from nocturna.tasks.inference.backends import make_ready
from nocturna.tasks.inference.backends._torch_network import TorchNetwork
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.networks import load_config
from nocturna.tasks.inference.passes import frame_sequence
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.sequence_model import LOGITS, describe_classifier
from nocturna.tasks.job.job import Compute
from tests.inference.sweep import SAMPLE, TOLERANCE, sweep, tiny_classifier

EQUAL = (
    *("albert", "arcee", "bart", "bert", "big_bird", "bigbird_pegasus", "camembert", "deberta"),
    *("deberta-v2", "distilbert", "electra", "funnel", "gpt2", "llama", "longformer"),
    *("modernbert", "mpnet", "qwen2", "roberta", "t5", "xlm-roberta", "xlnet"),
)
"""Architectures that are equal on both backends, or where OpenVINO leaves them to torch."""

NEVER_LEFT_OUT = ("bart", "gpt2", "modernbert", "xlnet")


def of_the_day() -> list[str]:
    """A few of them, others for each commit."""
    command = ["git", "rev-parse", "HEAD"]
    seed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    others = [name for name in EQUAL if name not in NEVER_LEFT_OUT]
    return sorted([*NEVER_LEFT_OUT, *random.Random(seed).sample(others, k=5)])


@pytest.mark.parametrize("name", of_the_day())
def test_an_architecture_equals_the_pipeline(name, tmp_path):
    found = sweep([name], ("torch", "openvino"), tmp_path)
    assert [(each.backend, each.verdict) for each in found] == [
        ("torch", "equal"),
        ("openvino", "equal"),
    ], found


@pytest.mark.slow
@pytest.mark.parametrize("name", EQUAL)
def test_every_architecture_equals_the_pipeline(name, tmp_path):
    found = sweep([name], ("torch", "openvino"), tmp_path)
    assert {each.verdict for each in found} == {"equal"}, found


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_an_architecture_that_reads_more_than_text_is_refused_by_name(name, tmp_path):
    folder = tiny_classifier(tmp_path / "m", "bert")
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace('"model_type": "bert"', f'"model_type": "{name}"')
    )
    with pytest.raises(UsageError, match=f"architecture {name} "):
        load_config(resolve_model(str(folder), None, "sentiment"))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PADDABLE & set(EQUAL)))
def test_padding_changes_no_score_where_it_is_allowed(name, tmp_path):
    folder = tiny_classifier(tmp_path / "m", name)
    ref = resolve_model(str(folder), None, "sentiment")
    tokenizer = describe_classifier(ref).tokenizer
    run = running(Compute(device="cpu", backend="torch", workers=1), "fp32")
    backend = make_ready(ref, LOGITS, tokenizer.pad_id, tokenizer.uses_types, run)
    assert isinstance(backend, TorchNetwork)
    sequences = [frame_sequence(tokenizer, (ids,)) for ids in tokenizer.encode(SAMPLE)]
    together = backend.forward(sequences)
    for sequence, row in zip(sequences, together, strict=True):
        assert row == pytest.approx(backend.forward([sequence])[0], abs=TOLERANCE)
