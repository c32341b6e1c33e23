"""Keys that options got after runs had been made without them."""

from typing import Any

from surrolab.schema.options import options

LATER: dict[str, dict[str, Any]] = {
    "neuron": {"tau_spread": 0.0},
    "model": {"max_delay": None, "learn_delays": True},
    "callbacks": {"test_every_epoch": False},
    "data": {"download": False, "tokenizer": None, "vocabulary": 2000},
}
"""By group, with the value at which everything is as it was before there was the key."""


def with_later_keys(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run as it was made, with the keys that its options have got since."""
    found = dict(config)
    for group, keys in LATER.items():
        node = config.get(group)
        if not isinstance(node, dict):
            continue
        option = next(
            (one for one in options(group).values() if one["_target_"] == node.get("_target_")), {}
        )
        found[group] = node | {
            key: value for key, value in keys.items() if key in option and key not in node
        }
    return found
