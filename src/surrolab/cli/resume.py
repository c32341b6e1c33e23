"""``resume=RUN_DIR``: go on with a run; the configuration is the run's own."""

from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from surrolab.errors import UserError, one_line
from surrolab.memory import ask_for_huge_pages, loading
from surrolab.run.directory import RunDirectory
from surrolab.schema import GROUPS, validate

_ALLOWED = "trainer.max_epochs=N (larger), logger.mode=MODE, hydra.*"


def resume_command(words: list[str]) -> int:
    """Go on where the run stands: from its last checkpoint, or from the start without one.

    A completed run is left as it is, unless more epochs are asked for.

    Raises:
        UserError: something beside it that cannot be given, or a directory that is no run's.
    """
    path, max_epochs, mode = _arguments(words)
    directory = RunDirectory.existing(path)
    config = validate(directory.read_config())
    had = config["trainer"]["max_epochs"]
    if max_epochs is not None and max_epochs < had:
        raise UserError(
            f"trainer.max_epochs: {max_epochs} is less than the run's; allowed: {had} or more"
        )
    if mode is not None:
        if "mode" not in config["logger"]:
            raise UserError("logger.mode: the run's logger has none; allowed: leave it out")
        config["logger"]["mode"] = mode
    longer = max_epochs is not None and max_epochs > had
    if directory.read_result().get("status") == "completed" and not longer:
        print(f"{directory.path} is complete; nothing to do")
        return 0
    if longer:
        config["trainer"]["max_epochs"] = max_epochs
    if longer:
        directory.reopen()
    if longer or mode is not None:
        config = validate(config)
        directory.rewrite_config(config)
    if config["keep_memory"]:
        ask_for_huge_pages()
    with loading():
        from surrolab.run.execute import execute
        from surrolab.tracking import prepare

        prepare(config["logger"])
    return execute(config, directory, resume=True)


def _arguments(words: list[str]) -> tuple[Path, int | None, str | None]:
    flags = [word for word in words if word.startswith("-")]
    if flags:
        raise UserError(f"{flags[0]}: not together with resume; allowed: {_ALLOWED}")
    try:
        parsed = OverridesParser.create().parse_overrides(words)
    except HydraException as error:
        raise UserError(one_line(error)) from error
    given: dict[str, Any] = {}
    for override in parsed:
        key = override.key_or_group
        if key.startswith("hydra"):
            continue
        if key not in ("resume", "trainer.max_epochs", "logger.mode"):
            raise UserError(f"{key}: not together with resume; allowed: {_ALLOWED}")
        if override.is_sweep_override():
            raise UserError(f"{key}: a single value with resume; allowed: {_ALLOWED}")
        given[key] = override.value()
    max_epochs, mode = given.get("trainer.max_epochs"), given.get("logger.mode")
    for key, value in (("trainer.max_epochs", max_epochs), ("logger.mode", mode)):
        if value is not None:
            group, _, name = key.partition(".")
            allowed = GROUPS[group][name]
            try:
                allowed.convert(value)
            except (TypeError, ValueError):
                raise UserError(
                    f"{key}: {value!r} is not allowed; allowed: {allowed.allowed}"
                ) from None
    if not given["resume"]:
        raise UserError("resume: nothing is given; allowed: the directory of a run")
    return Path(str(given["resume"])), max_epochs, mode
