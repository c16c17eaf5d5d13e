"""What an encoder's own settings say of its cosines: sigmoids of single labels, and templates."""

import json

import numpy as np
import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute
from nocturna.tasks.job.job_file import make_job
from tests.models import TEXTS, sentence_encoder

SHORT = [text for text in TEXTS if 0 < len(text) < 60]
RUN = running(Compute(backend="torch"), "fp32")


@pytest.fixture
def folder(tmp_path):
    return sentence_encoder(tmp_path / "m", modules=["Normalize"])


def plan(**scores):
    return plan_inference(
        make_job({"name": "m", "source": {"path": "x"}, "scores": scores}, "test")
    )


def test_labels_by_themselves_are_sigmoids_around_the_encoders_own_midpoint(folder):
    score = {"kind": "embedding", "model": str(folder), "labels": ["ocio"], "multi_label": True}
    with pytest.raises(UsageError, match="does not say from which cosine on a label"):
        plan(x=score)
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps({"similarity_midpoint": 0.5, "similarity_spread": 0.1}))
    found = score_texts(plan(x=score), SHORT, RUN).by_name["x"].values[:, 0]
    encoder = load_encoder(resolve_model(str(folder), None, "encoder"), RUN)
    vectors, label = (
        encoder.embed(encoder.tokenizer.encode(some), RUN) for some in (SHORT, ["ocio"])
    )
    expected = 1 / (1 + np.exp(-((vectors @ label.T)[:, 0] - 0.5) / 0.1))
    assert np.abs(found - expected).max() < 1e-5


def test_an_encoder_s_own_template_for_the_language_is_used_where_the_job_has_none(folder):
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps({"similarity_templates": {"es": "Va de {}."}}))
    score = {"kind": "embedding", "model": str(folder), "labels": ["ocio", "dinero"]}
    assert plan(x=score).scores[0].settings["template"] == "Va de {}."
    assert plan(x={**score, "template": "{}"}).scores[0].settings["template"] == "{}"
    english = {"name": "m", "source": {"path": "x"}, "language": "en", "scores": {"x": score}}
    assert plan_inference(make_job(english, "test")).scores[0].settings["template"] == "{}"
