"""A converted network computes the same when it is read from the cache, on the nights after."""

from nocturna.tasks.inference.backends._openvino_conversion import (
    LARGEST_ERROR,
    _error,
    _Examples,
    convert,
)
from nocturna.tasks.inference.backends._openvino_kept import keep_conversion, read_conversion
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
    assert _error(kept, module, examples) <= LARGEST_ERROR
