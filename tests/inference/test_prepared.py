"""The bundled models come prepared: their first run makes nothing and imports no model library."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest

import nocturna.tasks.cached
import nocturna.tasks.inference.backends._openvino_prepared as prepared
from nocturna.tasks.inference.backends._openvino_conversion import _Examples, convert
from nocturna.tasks.inference.backends._openvino_kept import conversion_at, keep_conversion
from nocturna.tasks.inference.branches import together
from nocturna.tasks.inference.encoder import encoder_pass
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.sequence_model import LOGITS
from tests.models import TEXTS

FIRST = """
import sys
from nocturna.cli import main
try:
    main()
except SystemExit as ended:
    print([name for name in ("torch", "transformers", "datasets") if name in sys.modules])
    print(ended.code or 0)
"""


def test_a_first_run_makes_nothing_and_imports_no_model_library(tmp_path):
    (tmp_path / "c.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    unrecorded = {"PREFECT_API_URL": "http://127.0.0.1:9/api"}
    done = subprocess.run(
        [sys.executable, "-c", FIRST, "score", "c.txt", "--labels", "ocio,dinero", "--json"],
        cwd=tmp_path,
        env={**os.environ, **unrecorded, "NOCTURNA_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    said, modules, code = done.stdout.rsplit("\n", 3)[0:3]
    assert (modules, code) == ("[]", "0"), (
        "after a change of models or versions: python -m recipes.prepare",
        done.stderr,
    )
    assert json.loads(said)["counts"]["scored"] == len(TEXTS)
    assert not (tmp_path / "cache" / "openvino").exists()


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("sentiment", "encoder")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*SLOW, "both"])
def test_what_is_prepared_computes_what_a_conversion_computes(kind, tmp_path, monkeypatch):
    sentiment, encoder = (resolve_model("bundled", None, k) for k in ("sentiment", "encoder"))
    ref = sentiment if kind == "sentiment" else encoder
    reading = LOGITS if kind == "sentiment" else encoder_pass(encoder).reading
    if kind == "both":
        reading = together(((encoder, reading), (sentiment, LOGITS)))
    kept = conversion_at(ref, reading.name, False, False)
    found, made = prepared.read_prepared(kept, ref, reading), convert(ref, reading, False)
    assert found is not None and made is not None
    inputs = _Examples(ref, reading, False).of((3, 9))["input_ids"].numpy()
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    first, second = (
        openvino.Core().compile_model(model, "CPU", exact)([inputs])[0]
        for model in (found.model, made)
    )
    assert np.abs(first - second).max() <= 1e-6

    place = tmp_path / "openvino" / kept.name
    keep_conversion(made, place, ref, reading.name)
    monkeypatch.setattr(prepared, "PREPARED", tmp_path / "prepared")
    folders = [Path(model.folder) for model, _ in reading.models(ref)]
    prepared.prepare(place, folders, tmp_path / "prepared" / "openvino" / kept.name)
    assert prepared.read_prepared(place, ref, reading) is not None
    constants = tmp_path / "prepared" / "openvino" / kept.name / "constants.bin"
    constants.write_bytes(bytes(len(constants.read_bytes())))
    assert prepared.read_prepared(place, ref, reading) is None, (
        "other weights than what was checked"
    )


def test_what_is_prepared_is_used_only_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(nocturna.tasks.cached, "PREPARED", tmp_path / "prepared")
    nocturna.tasks.cached.keep_cached(tmp_path / "prepared" / "kind" / "name", b"told")
    assert nocturna.tasks.cached.read_cached(tmp_path / "cache" / "kind" / "name") == b"told"
    (tmp_path / "prepared" / "kind" / "name").write_bytes(b"damaged")
    assert nocturna.tasks.cached.read_cached(tmp_path / "cache" / "kind" / "name") is None
