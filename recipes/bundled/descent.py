"""The optimiser that both models are trained with."""

import logging
import time

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from recipes.bundled.parallel import Peer

logger = logging.getLogger(__name__)

_LOG_EVERY = 50


class Descent:
    """AdamW whose rate warms up over a twentieth of ``steps`` and then falls linearly to zero."""

    def __init__(self, model: nn.Module, peer: Peer, learning_rate: float, steps: int) -> None:
        model.train()
        self._model, self._peer, self._steps = model, peer, steps
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=learning_rate, weight_decay=0.01, fused=True
        )
        warm_up = max(1, steps // 20)
        self._schedule = LambdaLR(
            self._optimizer,
            lambda step: min((step + 1) / warm_up, (steps - step) / (steps - warm_up + 1)),
        )
        self._done, self._started = 0, time.monotonic()

    def step(self, loss: torch.Tensor) -> None:
        """One step down the slope of ``loss``, in all processes together."""
        loss.backward()
        self._peer.average_gradients(self._model)
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._schedule.step()
        self._done += 1
        if self._peer.rank == 0 and self._done in (self._steps, *range(0, self._steps, _LOG_EVERY)):
            seconds = time.monotonic() - self._started
            logger.info(
                "step %d of %d, loss %.3f, %.0f s", self._done, self._steps, loss.item(), seconds
            )
