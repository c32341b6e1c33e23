"""How a network goes through time, as the configuration says."""

from typing import Any

from surrolab.models import Network
from surrolab.synapses import SpikeLinear


def set_time(network: Network, config: dict[str, Any]) -> None:
    """Memory, gradient and spikes over time: what is kept, cut and added up."""
    steps = config["checkpoint_steps"]
    network.checkpoint_steps = 0 if steps == "auto" else steps
    network.truncate_steps = config["truncate_steps"]
    for _, layer in network.named_layers():
        if isinstance(layer.synapse, SpikeLinear):
            layer.synapse.sparse = config["sparse"]
        layer.neurons.overwrite_membrane = config["overwrite_membrane"]
