"""Narrows the kernels of learned delays as training goes on, and logs where the delays are."""

import pytorch_lightning as pl

from surrolab.models import Network
from surrolab.surrogates.schedules import Exponential
from surrolab.synapses import SIGMA_END, DelayedLinear

# Of the epochs; from then on kernels are as narrow as they get.
NARROWING = 0.25


class Delays(pl.Callback):
    """Sets the standard deviation of the kernels of learned delays before every epoch.

    From half of the longest delay to 0.5 steps, by the same factor each epoch, over the first
    quarter of the epochs (at least one), as in Hammouamri et al. 2023 (arXiv:2306.17670). It is a
    function of the epoch alone, and a buffer of the network: a resumed run goes on as the first
    would have, and a checkpoint holds that of its epoch. Longer ``trainer.max_epochs`` on resuming
    are another schedule.

    Logs ``delays/<layer>/sigma``, ``mean`` and ``std``, in steps, with the epoch's other metrics.

    Args:
        network: whose delays are learned; what it has of them is looked up once.
    """

    def __init__(self, network: Network) -> None:
        self._synapses = {
            name: layer.synapse
            for name, layer in network.named_layers()
            if isinstance(layer.synapse, DelayedLinear) and layer.synapse.delay.requires_grad
        }

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._synapses)

    def values(self) -> dict[str, float]:
        """What is logged, as it stands now."""
        found: dict[str, float] = {}
        for name, synapse in self._synapses.items():
            delay = synapse.delay.detach().double().cpu()
            found[f"delays/{name}/sigma"] = float(synapse.sigma)
            found[f"delays/{name}/mean"] = float(delay.mean())
            found[f"delays/{name}/std"] = float(delay.std(correction=0))
        return found

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epochs = trainer.max_epochs or 1
        course = Exponential(SIGMA_END, length=max(1, int(NARROWING * epochs)))
        for synapse in self._synapses.values():
            synapse.sigma.fill_(course.value(synapse.widest, trainer.current_epoch, epochs))

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = self.values()
        pl_module.log_dict(values, logger=False, sync_dist=True)
        for logger in trainer.loggers:
            logger.log_metrics(values, trainer.global_step)
