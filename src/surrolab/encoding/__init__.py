"""From samples to the network's input over time."""

from surrolab.encoding.base import Encoder
from surrolab.encoding.delta import Delta
from surrolab.encoding.direct import Direct
from surrolab.encoding.latency import Latency
from surrolab.encoding.rate import Rate

__all__ = ["Delta", "Direct", "Encoder", "Latency", "Rate"]
