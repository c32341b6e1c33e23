"""The picture of its surrogates that each run leaves."""

import logging
from collections.abc import Sequence
from typing import Any

from pytorch_lightning.loggers.logger import Logger

from surrolab.errors import one_line
from surrolab.files import atomic
from surrolab.models import Network
from surrolab.run.construct import build
from surrolab.run.directory import RunDirectory
from surrolab.schema import options
from surrolab.surrogates import Surrogate
from surrolab.tracking import WandbRun

log = logging.getLogger(__name__)


def leave_picture(
    network: Network, directory: RunDirectory, loggers: Sequence[Logger], step: int = 0
) -> None:
    """Draw the run's own surrogates among those it could have had: ``surrogate.png``, and in W&B.

    Learned slopes and scales are drawn as they are now, after ``step`` steps. A run does not fail
    for want of a picture: what goes wrong is a warning.
    """
    try:
        chosen = choices(network)
        if not chosen:
            return
        from surrolab.pictures.surrogates import draw_choice

        # Without the formula, which is fast_sigmoid unless given, and takes a parser to read.
        nodes = (node for node in options("surrogate").values() if "derivative" not in node)
        others = [build("surrogate", node) for node in nodes]
        with atomic(directory.surrogate, "wb") as file:
            file.write(draw_choice(chosen, others))
        for logger in loggers:
            if isinstance(logger, WandbRun) and logger.media:
                logger.log_media(lambda: {"surrogate": _image(directory)}, step)
    except Exception as error:
        log.warning("%s: not drawn (%s)", directory.surrogate.name, one_line(error))
        log.debug("the surrogate's picture failed", exc_info=True)


def _image(directory: RunDirectory) -> Any:
    import wandb

    return wandb.Image(str(directory.surrogate))


def choices(network: Network) -> dict[str, Surrogate]:
    """The distinct surrogates of a network, by the option's name and the layers that have it."""
    layers: dict[str, list[str]] = {}
    surrogates: dict[str, Surrogate] = {}
    for name, layer in network.named_layers():
        surrogate = getattr(layer.neurons, "surrogate", None)
        if isinstance(surrogate, Surrogate):
            # Two of the same repr compute the same thing.
            layers.setdefault(repr(surrogate), []).append(name)
            surrogates.setdefault(repr(surrogate), surrogate)
    if len(surrogates) == 1:
        return {_option(surrogate): surrogate for surrogate in surrogates.values()}
    return {
        f"{', '.join(layers[key])}: {_option(surrogate)}": surrogate
        for key, surrogate in surrogates.items()
    }


def _option(surrogate: Surrogate) -> str:
    own = type(surrogate).__name__
    for name, node in options("surrogate").items():
        if node["_target_"].rpartition(".")[2] == own:
            return name
    return own
