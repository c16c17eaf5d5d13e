"""Model folders that load and are not what was trained, and labels that say nothing: one line."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import pipeline

from nocturna.tasks.errors import UsageError
from nocturna.tasks.evaluation.model_check import check_model
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.planned import plan_inference
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job_file import make_job
from tests.inference.plans import values as of
from tests.inference.test_model_kinds import (
    LABELS,
    SHORT,
    TEMPLATE,
    TOLERANCE,
    TORCH,
    edit_json,
    edit_weights,
    expected_in_order,
    planned,
    refusal,
)
from tests.models import SENTIMENT, bert_classifier, roberta_classifier, sentence_encoder


def test_an_adapter_is_not_taken_for_the_model(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    edit_json_new(folder / "adapter_config.json", peft_type="LORA")
    refusal(str(folder), "adapter_config.json", "merge", sentiment=folder)


def edit_json_new(path: Path, **values) -> None:
    path.write_text("{}", encoding="utf-8")
    edit_json(path, **values)


def test_fewer_layers_than_the_file_has_are_another_model(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    edit_json(folder / "config.json", num_hidden_layers=1)
    refusal("layers", "bert.encoder.layer.1.", "num_hidden_layers", sentiment=folder)
    encoder = sentence_encoder(tmp_path / "e")
    edit_json(encoder / "config.json", num_hidden_layers=1)
    refusal("encoder.layer.1.", model=str(encoder), kind="embedding")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("attention.self.distance_embedding.weight", "a part of a layer that .* bert has not here"),
        ("attention.self.query.weight_scale", "a part of a layer that"),
        ("attention.self.rotary_emb.inv_freq", None),
        ("attention.masked_bias", None),
    ],
)
def test_what_a_layer_did_in_training_and_does_not_here_is_refused(tmp_path, name, said):
    def added(weights):
        return {**weights, f"bert.encoder.layer.1.{name}": torch.zeros(2)}

    folder = edit_weights(bert_classifier(tmp_path / "m"), added)
    if said is None:  # constants that older checkpoints hold too
        assert np.isfinite(of(score_texts(planned(folder), SHORT[:1], TORCH), "sentiment")).all()
    else:
        with pytest.raises(UsageError, match=said):
            planned(folder)


def test_quantised_weights_are_refused_before_a_library_for_them_is_asked_for(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    edit_json(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    refusal("its weights are quantised (gptq;", "fp32", sentiment=folder)


def test_a_folder_without_the_settings_of_its_pooling_is_not_mean_pooled(tmp_path):
    folder = sentence_encoder(tmp_path / "e")
    (folder / "1_Pooling" / "config.json").unlink()
    refusal("1_Pooling", model=str(folder), kind="embedding")


def test_names_that_differ_only_by_blanks_do_not_tell_outputs_apart(tmp_path):
    folder = bert_classifier(tmp_path / "m", labels=("pos", "pos ", "neg"))
    refusal("'pos' twice", sentiment=folder)


def renamed(folder: Path, **labels: str):
    scores = {"sentiment": {"model": str(folder), "labels": labels}}
    return plan_inference(make_job({"name": "j", "source": {"path": "a"}, "scores": scores}, "t"))


def test_names_from_the_job_must_tell_the_outputs_apart_too(tmp_path):
    folder = bert_classifier(tmp_path / "m", labels=("-1", "0", "1"))
    assert renamed(folder, **{"-1": "malo", "1": "bueno"}).scores[0].labels == (
        *("malo", "0", "bueno"),
    )
    numbers = {"sentiment": {"model": str(folder), "labels": {-1: "malo"}}}
    job = make_job({"name": "j", "source": {"path": "a"}, "scores": numbers}, "t")
    assert plan_inference(job).scores[0].labels == ("malo", "0", "1")
    for wrong in ({"-1": "0"}, {"-1": " "}):
        with pytest.raises(UsageError, match="new names"):
            renamed(folder, **wrong)


def test_labels_that_the_tokenizer_reads_alike_are_refused(tmp_path):
    labels = ["漢字", "仮名"]
    encoder = str(sentence_encoder(tmp_path / "e"))
    refusal("'Trata de 漢字.'", "alike", model=encoder, kind="embedding", labels=labels)


def test_half_precision_weights_are_scored_in_fp32(tmp_path):
    def half(weights):
        return {name: values.half() for name, values in weights.items()}

    folder = edit_weights(bert_classifier(tmp_path / "m"), half)
    edit_json(folder / "config.json", dtype="float16")
    run = pipeline("text-classification", model=str(folder), top_k=None, dtype=torch.float32)
    found = of(score_texts(planned(folder), SHORT, TORCH), "sentiment")
    for text, row in zip(SHORT, found, strict=True):
        said = {one["label"]: one["score"] for one in run([text])[0]}
        assert row == pytest.approx([said[label] for label in SENTIMENT], abs=TOLERANCE)


def test_weights_that_give_no_number_give_no_score(tmp_path):
    folder = bert_classifier(tmp_path / "m")
    weights = load_file(folder / "model.safetensors")
    weights["classifier.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert np.isnan(of(score_texts(planned(folder), SHORT, TORCH), "sentiment")).all()
    with pytest.raises(UsageError, match="gives no number for any of 64 sample texts"):
        check_model(resolve_model(str(folder), None, "sentiment"), {}, "cpu")


NAMED = {
    ("implicación", "neutro", "contradicción"): 0,
    ("contradição", "acarretamento", "neutro"): 1,
    ("Widerspruch", "Neutral", "Folgerung"): 2,
    ("contradiction", "implication", "neutre"): 1,
    ("contraddizione", "neutrale", "implicazione"): 2,
    ("矛盾", "中立", "蕴含"): 2,
    ("противоречие", "следование", "нейтрально"): 1,
    ("تناقض", "استلزام", "محايد"): 1,
    ("C", "E", "N"): 1,
    ("no_implica", "implica"): 1,
    ("NonEntailment", "Entailment"): 1,
    ("nicht impliziert", "impliziert"): 1,
}


@pytest.mark.parametrize("labels", NAMED, ids=" ".join)
def test_entailment_is_found_by_its_name_in_many_languages(tmp_path, labels):
    from nocturna.tasks.inference.heads._verdicts import nli_verdicts

    folder = bert_classifier(tmp_path / "m", labels=labels)
    found = nli_verdicts(resolve_model(str(folder), None, "encoder"))
    assert found.entailment == NAMED[labels]
    assert "ontr" in labels[found.against].lower() or labels[found.against] in {
        *("C", "矛盾", "противоречие", "تناقض", "Widerspruch"),
        *("no_implica", "NonEntailment", "nicht impliziert"),
    }


@pytest.mark.parametrize("multi", [False, True])
def test_a_job_says_which_output_is_entailment(tmp_path, multi):
    folder = roberta_classifier(tmp_path / "m", labels=("LABEL_0", "LABEL_1", "LABEL_2"))
    refusal("`entailment: POSITION`", model=str(folder), multi_label=multi)
    if multi:
        refusal("`contradiction: POSITION`", model=str(folder), multi_label=True, entailment=2)
    refusal("entailment: 3", "0 (LABEL_0)", model=str(folder), entailment=3)
    refusal("one output", model=str(folder), entailment=1, contradiction="LABEL_1")
    told = {"entailment": "LABEL_2", "contradiction": 0} if multi else {"entailment": 2}
    plan = planned(model=str(folder), multi_label=multi, **told)
    other = planned(model=str(folder), multi_label=multi, entailment=1, contradiction=0)
    assert plan.configs != other.configs
    found = of(score_texts(plan, SHORT, TORCH), "topic")
    run = pipeline("zero-shot-classification", model=str(folder), device=-1)
    assert run.entailment_id == -1, "the pipeline takes the last one"
    for text, row in zip(SHORT, found, strict=True):
        said = run(text, list(LABELS), hypothesis_template=TEMPLATE, multi_label=multi)
        scores = dict(zip(said["labels"], said["scores"], strict=True))
        assert row == pytest.approx([scores[label] for label in LABELS], abs=TOLERANCE)


def test_a_classifier_of_several_labels_a_text_gives_each_by_itself(tmp_path):
    folder = bert_classifier(tmp_path / "m", problem_type="multi_label_classification")
    plan = planned(folder)
    assert plan.scores[0].threshold == 0.5 and not plan.scores[0].sums_to_one
    found = of(score_texts(plan, SHORT, TORCH), "sentiment")
    assert np.abs(found - expected_in_order(folder, SHORT)).max() < TOLERANCE


def test_a_threshold_needs_labels(tmp_path):
    folder = str(bert_classifier(tmp_path / "m", labels=["only"], problem_type="regression"))
    scores = {"size": {"model": folder, "threshold": 0.5}}
    with pytest.raises(UsageError, match=r"scores\.size\.threshold"):
        plan_inference(make_job({"name": "j", "source": {"path": "a"}, "scores": scores}, "t"))


def test_a_card_that_speaks_of_prompts_is_said_in_one_line(tmp_path, caplog):
    folder = sentence_encoder(tmp_path / "e")
    (folder / "README.md").write_text('Each text starts with "query: " or "passage: ".')
    with caplog.at_level(logging.WARNING, "nocturna.tasks"):
        planned(model=str(folder), kind="embedding")
        planned(model=str(folder), kind="embedding", prompt="query: ")
    (said,) = caplog.records
    assert 'prompt: "query: "' in said.getMessage()
