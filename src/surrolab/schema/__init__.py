"""The typed configuration: what every key is, and what is allowed.

Nothing here imports more than OmegaConf, so that a wrong command line is answered at once.
"""

from surrolab.schema.groups import GROUPS, OPTIONAL_GROUPS, TOP
from surrolab.schema.later import with_later_keys
from surrolab.schema.options import CONF, allowed_targets, options
from surrolab.schema.validate import suggestion, validate

__all__ = [
    "CONF",
    "GROUPS",
    "OPTIONAL_GROUPS",
    "TOP",
    "allowed_targets",
    "options",
    "suggestion",
    "validate",
    "with_later_keys",
]
