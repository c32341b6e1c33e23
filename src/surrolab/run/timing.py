"""How a network goes through time, as the configuration says."""

from typing import Any

from surrolab.models import Network


def set_time(network: Network, config: dict[str, Any]) -> None:
    """Memory and gradient over time, and what the synapses do with spikes."""
    steps = config["checkpoint_steps"]
    network.checkpoint_steps = 0 if steps == "auto" else steps
    network.truncate_steps = config["truncate_steps"]
    for _, layer in network.named_layers():
        layer.neurons.overwrite_membrane = config["overwrite_membrane"]
