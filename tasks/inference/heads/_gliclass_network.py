"""The network of GLiClass's uni-encoders, which transformers loads as one of its own from here on.

Source: Stepanov et al. 2025, "GLiClass: Generalist Lightweight Model for Sequence Classification
Tasks", and the published configurations and names of weights: an encoder reads labels and text
together; the state of each label's mark is weighed against the pooled states of the text.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.modeling_outputs import SequenceClassifierOutput

from nocturna.tasks.inference.heads._gliclass_format import DEFAULTS, ENCODER

POOLED = {
    "first": lambda states: states[:, 0],
    "last": lambda states: states[:, -1],
    "avg": lambda states: states.mean(1),
    "max": lambda states: states.amax(1),
    "sum": lambda states: states.sum(1),
    "rms": lambda states: states.pow(2).mean(1).sqrt(),
    "abs_max": lambda states: states.abs().amax(1),
    "abs_avg": lambda states: states.abs().mean(1),
}
"""What is made of the states of a sequence, shape (batch, tokens, width); it has no padding."""

_HIDDEN = 256
"""Width of the scorer `mlp`, whatever a configuration says."""


class GliClassConfig(PretrainedConfig):
    """A configuration in GLiClass's format; the encoder's own is in it."""

    model_type = "GLiClass"

    def __init__(self, encoder_config: Any = None, **values: Any) -> None:
        own, values = dict(encoder_config or {}), {**DEFAULTS, **values}
        encoder = CONFIG_MAPPING[own.pop("model_type", ENCODER)](**own)
        size = values.pop("vocab_size", None) or encoder.vocab_size
        encoder.vocab_size = self.vocab_size = size
        self.encoder_config = encoder
        self.hidden_size = values.pop("hidden_size", None) or encoder.hidden_size
        self.max_position_embeddings = getattr(encoder, "max_position_embeddings", None)
        mark = values.pop("class_token_index")
        self.landmark_token_id = size if mark == -1 else mark
        super().__init__(**values)
        self.pad_token_id = encoder.pad_token_id


class GliClassNetwork(PreTrainedModel):
    """Logits of the labels that a sequence holds; as many in every sequence of a batch."""

    config_class = GliClassConfig
    base_model_prefix = "model"

    def __init__(self, config: GliClassConfig) -> None:
        super().__init__(config)
        self.model = _Parts(config)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        found: nn.Module = self.model.encoder_model.get_input_embeddings()
        return found

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> SequenceClassifierOutput:
        given = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        states = self.model.encoder_model(input_ids, attention_mask=attention_mask, **given)[0]
        return SequenceClassifierOutput(logits=self.model(input_ids, states))


class _Parts(nn.Module):
    """What a checkpoint holds under `model.`"""

    def __init__(self, config: GliClassConfig) -> None:
        super().__init__()
        self.config = config
        own = config.encoder_config
        self.encoder_model = AutoModel.from_config(own, dtype=torch.get_default_dtype())
        self.text_projector = _Projector(config)
        self.classes_projector = _Projector(config)
        self.scorer = _SCORERS[config.scorer_type](config.hidden_size)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    def forward(self, ids: Tensor, states: Tensor) -> Tensor:
        """Logits, shape (batch, labels), from states of shape (batch, tokens, width)."""
        text = self.text_projector(POOLED[self.config.pooling_strategy](states))
        labels = self.classes_projector(self._labels(ids, states))
        if not self.config.normalize_features:
            return self.scorer(text, labels)
        return self.scorer(_unit(text), _unit(labels)) * self.logit_scale

    def _labels(self, ids: Tensor, states: Tensor) -> Tensor:
        """The state of each label's mark or of the token after it, (batch, labels, width)."""
        at = (ids == self.config.landmark_token_id).nonzero()[:, 1].view(ids.shape[0], -1)
        if not self.config.embed_class_token:
            states = torch.cat([states[:, 1:], states[:, -1:]], dim=1)
        return states.gather(1, at[..., None].expand(-1, -1, states.shape[-1]))


class _Projector(nn.Module):
    def __init__(self, config: GliClassConfig) -> None:
        super().__init__()
        width = config.encoder_config.hidden_size
        self.linear_1 = nn.Linear(width, config.hidden_size)
        self.act = ACT2FN[config.projector_hidden_act]
        self.linear_2 = nn.Linear(config.hidden_size, width)

    def forward(self, states: Tensor) -> Tensor:
        found: Tensor = self.linear_2(self.act(self.linear_1(states)))
        return found


class _Dot(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, text: Tensor, labels: Tensor) -> Tensor:
        return (labels * text[:, None]).sum(-1)


class _WeightedDot(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj_text = nn.Linear(width, 2 * width)
        self.proj_label = nn.Linear(width, 2 * width)
        # the names of the weights count the dropout between them
        self.out_mlp = nn.Sequential(
            nn.Linear(3 * width, 4 * width), nn.Identity(), nn.ReLU(), nn.Linear(4 * width, 1)
        )

    def forward(self, text: Tensor, labels: Tensor) -> Tensor:
        a, b = self.proj_text(text)[:, None].expand(-1, labels.shape[1], -1).chunk(2, dim=-1)
        c, d = self.proj_label(labels).chunk(2, dim=-1)
        found: Tensor = self.out_mlp(torch.cat([a, c, b * d], dim=-1))
        return found[..., 0]


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        half = _HIDDEN // 2
        layers = [nn.Linear(2 * width, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, half), nn.ReLU()]
        self.mlp = nn.Sequential(*layers, nn.Linear(half, 1))

    def forward(self, text: Tensor, labels: Tensor) -> Tensor:
        found: Tensor = self.mlp(torch.cat([text[:, None].expand_as(labels), labels], dim=-1))
        return found[..., 0]


_SCORERS: dict[str, Any] = {"simple": _Dot, "weighted-dot": _WeightedDot, "mlp": _Mlp}


def _unit(values: Tensor) -> Tensor:
    return values / (values.norm(dim=-1, keepdim=True) + 1e-8)


AutoConfig.register(GliClassConfig.model_type, GliClassConfig)
AutoModelForSequenceClassification.register(GliClassConfig, GliClassNetwork)
