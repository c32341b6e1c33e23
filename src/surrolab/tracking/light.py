"""W&B without what it would load and do for nothing."""

import contextlib
import importlib
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

_LAUNCH = "wandb.sdk.launch.inputs.internal"


@contextlib.contextmanager
def light() -> Iterator[None]:
    """Keep ``wandb.init`` from loading its launch agents, and it all from loading pandas.

    Each takes up to a second, once. W&B 0.31 looks for inputs that were staged for an agent's run
    at every start, and whether a picture is a data frame. Inputs can be staged only where the
    module for it is loaded, and data frames only be made where pandas is; then nothing happens
    here. To versions of W&B that do otherwise this makes no difference.
    """
    import wandb.util

    if "pandas" not in sys.modules and hasattr(wandb.util, "pd_available"):
        wandb.util.pd_available = False  # it then looks at the names of types
    if _LAUNCH in sys.modules:
        yield
        return
    stub = types.ModuleType(_LAUNCH)
    stub.StagedLaunchInputs = _NothingStaged  # type: ignore[attr-defined]
    sys.modules[_LAUNCH] = stub
    try:
        yield
    finally:
        sys.modules.pop(_LAUNCH, None)


@contextlib.contextmanager
def without_docstrings() -> Iterator[None]:
    """Keep pydantic from parsing W&B's source for the docstrings of its settings: a third of its
    import."""
    try:
        fields: Any = importlib.import_module("pydantic._internal._fields")
        extract = fields.extract_docstrings_from_cls
    except (ImportError, AttributeError):  # another version
        yield
        return
    fields.extract_docstrings_from_cls = lambda *_, **__: {}
    try:
        yield
    finally:
        fields.extract_docstrings_from_cls = extract


def report_nothing() -> None:
    """Keep W&B from telling its makers how it fares, offline runs too, unless that is asked for.

    It costs a fifth of a second and a process that works beside training.
    """
    if os.environ.setdefault("WANDB_ERROR_REPORTING", "false").lower() in ("false", "0", "no"):
        with contextlib.suppress(Exception):  # a version without
            from wandb.analytics.opentelemetry.opentelemetry_proxy import disable

            disable()


def quiet(wandb: Any) -> None:
    """Keep wandb from printing and from asking for a key; the configuration has the mode."""
    report_nothing()  # and so prints nothing where it cannot report
    os.environ.pop("WANDB_MODE", None)  # it would keep a login from being found
    settings = set_up(wandb.Settings(silent=True)).settings
    wandb.termsetup(settings, None)  # which only the first set-up of a process does itself


def set_up(settings: Any) -> Any:
    """``wandb.setup``, without waiting for its program to start, where the version can do that."""
    import wandb

    try:
        from wandb.sdk.wandb_setup import _setup

        return _setup(settings=settings, start_service=False)
    except (ImportError, TypeError):
        return wandb.setup(settings)


class _NothingStaged:
    def apply(self, run: object) -> None:
        pass
