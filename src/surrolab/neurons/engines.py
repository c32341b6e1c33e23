"""Which engine computes a layer, here and now, and why."""

import functools
import logging
import os
from typing import TYPE_CHECKING, NamedTuple

import torch

from surrolab import native
from surrolab.neurons.fused.assembly import Unsupported, why_not
from surrolab.neurons.fused.buffers import Engine
from surrolab.neurons.fused.native import NativeEngine
from surrolab.neurons.fused.torch_scan import TorchEngine
from surrolab.neurons.fused.triton import TritonEngine

if TYPE_CHECKING:
    from surrolab.neurons.layer import NeuronLayer

log = logging.getLogger(__name__)

ENGINES = ("auto", "stepwise", "torch", "native", "triton")

_NATIVE, _TORCH, _TRITON = NativeEngine(), TorchEngine(), TritonEngine()


class Choice(NamedTuple):
    """An engine, None being the one that steps; and why it is not what was asked for, if so."""

    engine: Engine | None
    why: str | None

    @property
    def name(self) -> str:
        """As the option is called."""
        return "stepwise" if self.engine is None else self.engine.name


def choose(
    layer: "NeuronLayer", dtype: torch.dtype, device: torch.device, without: frozenset[str]
) -> Choice:
    """The engine for a current of that dtype on that device.

    ``auto`` takes the fastest that works; an engine that was asked for and does not work gives way
    to the next one. Engines that have failed for this layer are left out by name (``without``).
    """
    if layer.engine == "stepwise":
        return Choice(None, None)
    unusual = why_not(layer)
    if unusual is not None:
        return Choice(None, unusual)
    surroundings = tuple(map(os.environ.get, ("CC", "SURROLAB_CACHE", "TRITON_INTERPRET")))
    return _first_that_works(layer.engine, dtype, device, without, surroundings)


@functools.lru_cache(maxsize=256)
def _first_that_works(
    asked: str,
    dtype: torch.dtype,
    device: torch.device,
    without: frozenset[str],
    surroundings: tuple[str | None, ...],
) -> Choice:
    """Looked up in every pass; ``surroundings`` is what else it depends on."""
    why = None
    for engine in _candidates(asked, device):
        reason = _reason(engine, dtype, device, without)
        if reason is None:
            return Choice(engine, why)
        why = why or reason
    return Choice(None, why)


def _candidates(asked: str, device: torch.device) -> tuple[Engine, ...]:
    if asked == "torch":
        return (_TORCH,)
    if asked == "triton":
        return (_TRITON, _NATIVE, _TORCH)
    return (_TRITON, _TORCH) if asked == "auto" and device.type == "cuda" else (_NATIVE, _TORCH)


def _reason(
    engine: Engine, dtype: torch.dtype, device: torch.device, without: frozenset[str]
) -> str | None:
    if engine.name in without:
        return f"engine {engine.name} failed"
    reason = engine.supports(dtype, device)
    if reason is None and engine is _NATIVE:
        reason = native.available()
        if reason is not None:
            say(logging.WARNING, f"engine native gives way: {reason}")
    return reason


def failed(asked: str, choice: Choice, error: Exception) -> None:
    """Say once that an engine gives way to the next, and why."""
    level = logging.INFO if isinstance(error, Unsupported) and asked == "auto" else logging.WARNING
    say(level, f"engine {choice.name} gives way: {error}")


@functools.cache
def say(level: int, message: str) -> None:
    """Log a message once in the life of the process."""
    log.log(level, message)
