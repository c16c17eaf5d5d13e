"""Work for tokens that nobody reads is left out, and nothing else changes."""

import numpy as np
import pytest
import torch

from nocturna.tasks.inference.first_token import first_token_only, reads_first_token
from nocturna.tasks.inference.models import resolve_model
from nocturna.tasks.inference.networks import load_network
from nocturna.tasks.inference.readout import Embedding, Logits, classifier_reading
from nocturna.tasks.inference.running import running
from nocturna.tasks.inference.scorer import score_texts
from nocturna.tasks.job.job import Compute
from tests.inference.plans import plan_scores, values
from tests.inference.sweep import tiny_classifier
from tests.models import TEXTS, bert_classifier, sentence_encoder

KNOWN = (
    *("convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert", "electra", "ernie"),
    *("megatron-bert", "modernbert", "mpnet", "rembert", "roberta-prelayernorm", "roformer"),
    "xlm-roberta-xl",
)
OTHERS = ("albert", "bart", "gpt2", "longformer", "xlnet")


def loaded(folder):
    return load_network(resolve_model(str(folder), None, "sentiment"), True, "fp32", "cpu")


def batch() -> dict[str, torch.Tensor]:
    """Three sequences, the last of them padded."""
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(6, 200, (3, 11), generator=generator)
    mask = torch.ones_like(ids)
    mask[2, 7:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def rows_of(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int]:
    """The output, and the most tokens that the layers after the last attention were given."""
    seen: list[int] = []
    linear = [m for name, m in module.named_modules() if isinstance(m, torch.nn.Linear)]
    wide = [m for m in linear if m.in_features == 64]  # the second half of a feed-forward
    hooks = [m.register_forward_hook(lambda _, x, __: seen.append(x[0].shape[1])) for m in wide]
    with torch.inference_mode():
        found = module(**inputs)
    for hook in hooks:
        hook.remove()
    return found, seen[-1]


@pytest.mark.parametrize("name", KNOWN)
def test_logits_are_the_same_and_the_last_layer_reads_one_token(tmp_path, name):
    network = loaded(tiny_classifier(tmp_path / "m", name))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    assert reads_first_token(network)
    inputs = batch()
    expected, all_of_them = rows_of(Logits(network), inputs)
    found, one = rows_of(classifier_reading(network), inputs)
    assert torch.allclose(found, expected, atol=1e-6)
    assert (all_of_them, one) == (11, 1)
    again, _ = rows_of(Logits(network), inputs)
    assert torch.equal(again, expected), "the network itself stays as it was"
    assert all(torch.equal(network.state_dict()[key], value) for key, value in before.items())


@pytest.mark.parametrize("name", OTHERS)
def test_networks_that_read_elsewhere_are_left_as_they_are(tmp_path, name):
    network = loaded(tiny_classifier(tmp_path / "m", name))
    assert not reads_first_token(network) and first_token_only(network) is network


def test_a_mean_over_the_tokens_needs_them_all(tmp_path):
    network = loaded(tiny_classifier(tmp_path / "m", "modernbert"))
    network.config.classifier_pooling = "mean"
    assert not reads_first_token(network)


def test_the_weights_are_held_once(tmp_path):
    network = loaded(tiny_classifier(tmp_path / "m", "electra"))
    own = {values.data_ptr() for values in network.parameters()}
    made = first_token_only(network)
    assert made is not network and {v.data_ptr() for v in made.parameters()} == own


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_an_encoder_that_pools_by_its_first_token_reads_no_other(tmp_path, backend):
    folder = sentence_encoder(tmp_path / "e", pooling="cls")
    ref = resolve_model(str(folder), None, "encoder")
    network = load_network(ref, False, "fp32", "cpu")
    whole = network(**batch()).last_hidden_state[:, 0]
    found, one = rows_of(Embedding(network, ("cls",)), batch())
    assert torch.allclose(found, torch.nn.functional.normalize(whole, dim=-1), atol=1e-6)
    assert one == 1 and rows_of(Embedding(network, ("mean",)), batch())[1] == 11
    plan = plan_scores({"topic": {"kind": "embedding", "model": folder, "labels": ["a", "b"]}})
    run = running(Compute(device="cpu", backend=backend, workers=1), "fp32")
    alone = [values(score_texts(plan, [text], run), "topic")[0] for text in TEXTS]
    together = values(score_texts(plan, TEXTS, run), "topic")
    assert np.abs(together - np.array(alone)).max() < 1e-5


def test_a_network_of_one_layer_is_left_as_it_is(tmp_path):
    network = loaded(bert_classifier(tmp_path / "m"))
    network.config.num_hidden_layers = 1
    assert first_token_only(network) is network
