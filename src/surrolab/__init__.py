"""surrolab: a lab bench for training spiking neural networks with surrogate gradients."""

from importlib.metadata import version

__version__ = version("surrolab")
