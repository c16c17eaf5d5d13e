"""Models are pinned, checked before any work, and loaded safely."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.encoder import load_encoder
from nocturna.tasks.inference.heads._verdicts import nli_verdicts
from nocturna.tasks.inference.model_config import (
    Outputs,
    classifier_labels,
    classifier_outputs,
)
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.recipe import read_recipe
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.sequence_model import load_classifier
from nocturna.tasks.inference.tokens import load_tokenizer
from nocturna.tasks.inference.weight_formats import SAFETENSORS, TORCH
from nocturna.tasks.job.job import Compute
from nocturna.tasks.job.job_file import make_job
from tests.models import SENTIMENT, bert_classifier, roberta_classifier, sentence_encoder

RUN = running(Compute(device="cpu", workers=2), "fp32")


def resolved(folder: Path):
    return resolve_model(str(folder), None, "encoder")


def edit_json(path: Path, **values) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | values), encoding="utf-8")


def test_a_local_folder_is_known_by_what_is_in_it_not_by_its_name(tmp_path):
    first = resolved(bert_classifier(tmp_path / "a", seed=1))
    same = resolved(shutil.copytree(tmp_path / "a", tmp_path / "b"))
    other = resolved(bert_classifier(tmp_path / "c", seed=2))
    assert first.revision == same.revision != other.revision
    assert first.revision.startswith("sha256:")


def test_a_changed_tokenizer_is_another_model(tmp_path):
    folder = bert_classifier(tmp_path / "a")
    before = resolved(folder).revision
    edit_json(folder / "tokenizer_config.json", model_max_length=77)
    assert resolved(folder).revision != before


def test_safetensors_are_preferred_and_the_format_is_recorded(tmp_path):
    assert resolved(bert_classifier(tmp_path / "a")).weights == SAFETENSORS
    ref = resolved(bert_classifier(tmp_path / "b", safetensors=False))
    assert ref.weights == TORCH
    assert load_classifier(ref, RUN).outputs.labels == SENTIMENT


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    folder = bert_classifier(tmp_path / "a", safetensors=False)
    marker = tmp_path / "was-run"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (marker,))

    with (folder / "pytorch_model.bin").open("wb") as stream:
        pickle.dump({"bert": Bomb()}, stream)
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_classifier(resolved(folder), RUN)
    assert not marker.exists()


def test_code_of_a_model_is_never_run(tmp_path):
    folder = bert_classifier(tmp_path / "a")
    marker = tmp_path / "was-run"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass C: pass\n")
    edit_json(
        folder / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.C"},
    )
    with pytest.raises(UsageError, match="cannot be loaded"):
        load_classifier(resolved(folder), RUN)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_broken_weights_are_one_line(tmp_path, content):
    folder = bert_classifier(tmp_path / "a")
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        load_classifier(resolved(folder), RUN)
    assert "\n" not in str(caught.value)


def test_an_encoder_without_a_trained_head_is_no_classifier(tmp_path):
    folder = sentence_encoder(tmp_path / "a")
    edit_json(folder / "config.json", id2label={"0": "NEG", "1": "POS"})
    with pytest.raises(UsageError, match="not a trained sequence-classification model"):
        load_classifier(resolved(folder), RUN)


def test_a_folder_without_weights_says_what_it_lacks(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UsageError, match=r"no model\.safetensors"):
        resolved(tmp_path / "a")


def test_one_output_is_a_number_and_has_no_labels(tmp_path):
    ref = resolved(bert_classifier(tmp_path / "a", labels=["only"]))
    assert classifier_outputs(ref) == Outputs((), independent=True)
    with pytest.raises(UsageError, match="no two labels"):
        classifier_labels(ref)


def test_a_regression_is_one_number_as_it_is(tmp_path):
    one = bert_classifier(tmp_path / "a", labels=["only"], problem_type="regression")
    assert classifier_outputs(resolved(one)) == Outputs((), raw=True)
    two = bert_classifier(tmp_path / "b", labels=["a", "b"], problem_type="regression")
    with pytest.raises(UsageError, match="several numbers"):
        classifier_outputs(resolved(two))


@pytest.mark.parametrize(
    "labels",
    [("LABEL_0", "LABEL_1", "LABEL_2"), ("neutral", "entailment", "other"), SENTIMENT],
)
def test_a_model_that_does_not_name_its_verdicts_is_refused(tmp_path, labels):
    ref = resolved(bert_classifier(tmp_path / "a", labels=labels))
    with pytest.raises(UsageError) as caught:
        nli_verdicts(ref)
    assert ref.name in str(caught.value)


def test_verdicts_are_read_whatever_their_order_or_case(tmp_path):
    labels = ("NEUTRAL", "Entailment", "contradictory")
    found = nli_verdicts(resolved(bert_classifier(tmp_path / "a", labels=labels)))
    assert (found.entailment, found.against) == (1, 2)


def test_pad_window_and_specials_come_from_the_model(tmp_path):
    bert = resolved(bert_classifier(tmp_path / "a", window=64))
    tokenizer = load_tokenizer(bert)
    assert (tokenizer.pad_id, tokenizer.window, tokenizer.uses_types) == (1, 64, True)
    assert (tokenizer.single.added, tokenizer.pair.added) == (2, 3)


def test_a_window_of_1e30_gives_way_to_the_positions_of_the_model(tmp_path):
    bert = resolved(bert_classifier(tmp_path / "a", window=64, claimed_window=int(1e30)))
    assert load_tokenizer(bert).window == 64
    roberta = resolved(roberta_classifier(tmp_path / "b", window=96))
    tokenizer = load_tokenizer(roberta)
    assert (tokenizer.window, tokenizer.pair.added, tokenizer.uses_types) == (96, 4, False)


@pytest.mark.parametrize("text", ["", "a", "hola mundo", "¡Ñandú! 😀 #lunes", "[SEP] x [MASK]"])
@pytest.mark.parametrize("make", [bert_classifier, roberta_classifier])
def test_frames_build_what_the_tokenizer_builds(tmp_path, make, text):
    from transformers import AutoTokenizer

    folder = make(tmp_path / "a")
    reference = AutoTokenizer.from_pretrained(folder)
    tokenizer = load_tokenizer(resolved(folder))
    (ids,) = tokenizer.encode([text])
    assert tokenizer.single.ids(ids).tolist() == reference(text)["input_ids"]
    (other,) = tokenizer.encode(["Este ejemplo es política."])
    pair = reference(text, "Este ejemplo es política.")
    assert tokenizer.pair.ids(ids, other).tolist() == pair["input_ids"]
    if tokenizer.uses_types:
        assert tokenizer.pair.type_ids(ids, other).tolist() == pair["token_type_ids"]


def test_the_encoder_follows_its_own_recipe(tmp_path):
    found = read_recipe(resolved(sentence_encoder(tmp_path / "a", pooling="cls")))
    assert (found.pooling, found.window, found.temperature) == (("cls",), 64, 0.1)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
def test_pooled_embeddings_are_the_models_own(tmp_path, pooling):
    from transformers import AutoModel, AutoTokenizer

    folder = sentence_encoder(tmp_path / "a", pooling=pooling)
    texts = ["hola", "una frase algo más larga que la otra", "¿y esta?"]
    encoder = load_encoder(resolved(folder), RUN)
    ours = torch.from_numpy(encoder.embed(encoder.tokenizer.encode(texts), RUN))
    network, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for text, row in zip(texts, ours, strict=True):
        with torch.inference_mode():
            states = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        pools = {"mean": states.mean(0), "cls": states[0], "max": states.amax(0)}
        expected = torch.nn.functional.normalize(pools[pooling], dim=0)
        assert torch.allclose(row, expected, atol=1e-5)


def test_an_encoder_with_an_unknown_module_is_refused(tmp_path):
    with pytest.raises(UsageError, match="LSTM is not supported"):
        read_recipe(resolved(sentence_encoder(tmp_path / "a", modules=["LSTM"])))


def job(**values):
    return make_job({"name": "j", "source": {"path": "a"}, **values}, "test")


def test_configs_change_with_what_decides_a_score_and_with_nothing_else(tmp_path):
    sentiment = {"model": str(bert_classifier(tmp_path / "a", seed=1))}
    other = {"model": str(bert_classifier(tmp_path / "b", seed=2))}
    encoder = str(sentence_encoder(tmp_path))
    topic = {"labels": ["x", "y"], "kind": "embedding", "model": encoder}
    both = {"sentiment": sentiment, "topic": topic}

    def configs(scores=both, **values) -> dict[str, str]:
        return plan_inference(job(scores=scores, **values)).configs

    def changed(**described) -> set[str]:
        found = configs({**both, **described})
        return {name for name, config in first.items() if found[name] != config}

    first = configs()
    assert first == configs(output={"keep_text": True}, compute={"batch_tokens": 99})
    assert first == configs(quality={"max_failed": 0.5}, shard_size=3)
    assert changed(urgency={"model": encoder, "kind": "embedding", "labels": ["a", "b"]}) == set()
    assert changed(sentiment=other) == {"sentiment"}
    for values in ({"labels": ["x", "z"]}, {"template": "Trata de {}."}, {"temperature": 0.3}):
        assert changed(topic={**topic, **values}) == {"topic"}
    assert changed(topic={**topic, "when": {"language": "es"}}) == {"topic"}
    for values in ({"long_documents": {"policy": "truncate"}}, {"compute": {"precision": "bf16"}}):
        found = configs(**values)
        assert found["sentiment"] != first["sentiment"] and found["topic"] != first["topic"]
    waiting = {**topic, "when": {"sentiment": "POS"}}
    before = configs({"sentiment": sentiment, "topic": waiting})["topic"]
    assert before != first["topic"]
    assert before != configs({"sentiment": other, "topic": waiting})["topic"]


def test_nli_in_a_language_without_a_default_template_asks_for_one(tmp_path):
    model = str(bert_classifier(tmp_path / "a", labels=("entailment", "neutral", "contradiction")))
    scores = {"topic": {"labels": ["a", "b"], "model": model}}
    with pytest.raises(UsageError, match=r"scores\.topic\.template.*'fr'"):
        plan_inference(job(language="fr", scores=scores))
    english = plan_inference(job(language="en", scores=scores))
    assert english.scores[0].settings["template"] == "This example is {}."


def test_scores_that_wait_for_each_other_or_for_nothing_are_refused(tmp_path):
    sentiment = {"model": str(bert_classifier(tmp_path / "a"))}

    def refused(**scores) -> str:
        with pytest.raises(UsageError) as caught:
            plan_inference(job(scores={"sentiment": sentiment, **scores}))
        return str(caught.value)

    topic, urgency = {"labels": ["a", "b"]}, {"labels": ["x", "y"]}
    circle = refused(
        topic={**topic, "when": {"urgency": "x"}}, urgency={**urgency, "when": {"topic": "a"}}
    )
    assert circle == "scores: topic, urgency wait for each other by their `when`"
    assert "not a score with labels" in refused(topic={**topic, "when": {"mood": "x"}})
    assert "has no label 'sad'" in refused(topic={**topic, "when": {"sentiment": "sad"}})
