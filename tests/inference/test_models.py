"""Models are pinned, checked before any work, and loaded safely."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from tasks.errors import UsageError
from tasks.inference.encoder import load_encoder
from tasks.inference.model_config import classifier_labels, nli_verdicts
from tasks.inference.models import SAFETENSORS, TORCH, resolve_model
from tasks.inference.planned import plan_inference
from tasks.inference.recipe import read_recipe
from tasks.inference.running import running
from tasks.inference.sequence_model import load_classifier
from tasks.inference.tokens import load_tokenizer
from tasks.job import Compute
from tasks.job_file import make_job
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
    assert load_classifier(ref, RUN).labels == SENTIMENT


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


def test_one_output_is_not_a_classifier(tmp_path):
    with pytest.raises(UsageError, match="no two labels"):
        classifier_labels(resolved(bert_classifier(tmp_path / "a", labels=["only"])))


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


def test_config_id_changes_with_what_decides_a_score_and_with_nothing_else(tmp_path):
    sentiment = str(bert_classifier(tmp_path / "a", seed=1))
    other = str(bert_classifier(tmp_path / "b", seed=2))
    topics = {"labels": ["x", "y"], "method": "embedding", "model": str(sentence_encoder(tmp_path))}

    def config_id(**values) -> str:
        base = {"sentiment": {"model": sentiment}, "zero_shot": topics}
        return plan_inference(job(**{**base, **values})).config_id

    first = config_id()
    assert first == config_id(output={"keep_text": True}, compute={"batch_tokens": 99})
    assert first == config_id(quality={"max_failed": 0.5}, shard_size=3)
    changed = [
        config_id(sentiment={"model": other}),
        config_id(zero_shot={**topics, "labels": ["x", "z"]}),
        config_id(zero_shot={**topics, "template": "Trata de {}."}),
        config_id(zero_shot={**topics, "temperature": 0.3}),
        config_id(long_documents={"policy": "truncate"}),
        config_id(compute={"precision": "bf16"}),
    ]
    assert len({first, *changed}) == 1 + len(changed)


def test_nli_in_a_language_without_a_default_template_asks_for_one(tmp_path):
    model = str(bert_classifier(tmp_path / "a", labels=("entailment", "neutral", "contradiction")))
    topics = {"labels": ["a", "b"], "model": model}
    with pytest.raises(UsageError, match=r"zero_shot\.template.*'fr'"):
        plan_inference(job(language="fr", sentiment={"enabled": False}, zero_shot=topics))
    english = plan_inference(job(language="en", sentiment={"enabled": False}, zero_shot=topics))
    assert english.topics.hypotheses == ("This example is a.", "This example is b.")
