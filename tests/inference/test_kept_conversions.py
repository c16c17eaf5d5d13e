"""A converted network computes the same when it is read from the cache, on the nights after."""

import sys
from pathlib import Path

import numpy as np
import pytest

from nocturna.tasks.inference.backends._openvino_conversion import (
    LARGEST_ERROR,
    _error,
    _Examples,
    convert,
)
from nocturna.tasks.inference.backends._openvino_kept import keep_conversion, read_conversion
from nocturna.tasks.inference.backends._openvino_weights import Weights
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.networks import load_network
from nocturna.tasks.inference.readout import classifier_reading
from nocturna.tasks.inference.sequence_model import LOGITS
from tests.inference.sweep import tiny_classifier


def test_a_kept_conversion_computes_what_was_converted(tmp_path):
    """DeBERTa-v2 rounds logarithms of distances up: a division must stay one."""
    ref = resolve_model(str(tiny_classifier(tmp_path / "m", "deberta-v2")), None, "sentiment")
    made = convert(ref, LOGITS, uses_types=False)
    assert made is not None
    keep_conversion(made, tmp_path / "cache" / "kept", ref, LOGITS.name)
    kept = read_conversion(tmp_path / "cache" / "kept")
    assert kept is not None
    module = classifier_reading(load_network(ref, True, "fp32", "cpu"))
    examples = _Examples(ref, LOGITS, uses_types=False)
    assert _error(kept.model, module, examples) <= LARGEST_ERROR


def resident(path: Path) -> int:
    """Bytes of a file's mapped pages that this process holds in memory."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if line.split()[0].count("-") == 1 and not line.split()[0].endswith(":"):
            ours = line.endswith(str(path))
        elif ours and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is resident")
def test_weights_go_back_to_the_system_and_come_again(tmp_path):
    path = tmp_path / "model.bin"
    values = np.random.default_rng(0).integers(0, 256, 1 << 22, dtype=np.uint8)
    path.write_bytes(values.tobytes())
    weights = Weights.kept(path)
    assert np.array_equal(weights.bytes, values)
    assert resident(path) > 1 << 21
    weights.let_go()
    assert resident(path) < 1 << 20
    assert np.array_equal(weights.bytes, values)


@pytest.mark.parametrize("somewhere", [True, False])
def test_room_for_weights_is_had_with_and_without_a_disk(somewhere, monkeypatch):
    if not somewhere:
        monkeypatch.setattr("tempfile.tempdir", "/dev/null/none")
    weights = Weights.made(1 << 16)
    weights.bytes[:] = np.arange(1 << 16) % 251
    weights.let_go()
    assert np.array_equal(weights.bytes, np.arange(1 << 16) % 251)
