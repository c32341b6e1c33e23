"""What an experiment sets for an option that the command line has replaced by another."""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from surrolab.schema import GROUPS, OPTIONAL_GROUPS, options


def without_leftovers(
    config: Mapping[str, Any], words: Sequence[str], choices: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Leave out the values of an experiment that the chosen options have no key for.

    Only where the words choose the group's option and do not set the key themselves: what a user
    types, and what an experiment sets for its own options, is for the schema to refuse.

    Args:
        config: as composed, plain data.
        words: the overrides.
        choices: the option of each group, ``experiment`` and ``debug`` among them.

    Returns:
        The configuration, and a line for each experiment of which something was left out.
    """
    given = {override.key_or_group for override in _parsed(words)}
    kept = dict(config)
    notes = []
    for extra in OPTIONAL_GROUPS:
        name = choices.get(extra)
        if name is None:
            continue
        set_by_it = options(extra)[name]
        left_out = []
        for group in GROUPS:
            node, values = kept.get(group), set_by_it.get(group)
            if group not in given or not isinstance(node, Mapping) or not values:
                continue
            having = options(group).get(choices[group], {})
            foreign = [
                key
                for key in values
                if key in node and key not in having and f"{group}.{key}" not in given
            ]
            kept[group] = {key: value for key, value in node.items() if key not in foreign}
            left_out += [
                f"{group}.{key}={node[key]}, which {group}={choices[group]} does not have"
                for key in foreign
            ]
        if left_out:
            notes.append(f"left out of {extra}={name}: {'; '.join(left_out)}")
    return kept, notes


def _parsed(words: Sequence[str]) -> list[Any]:
    """The overrides among the words, without flags."""
    return OverridesParser.create().parse_overrides([w for w in words if not w.startswith("-")])
