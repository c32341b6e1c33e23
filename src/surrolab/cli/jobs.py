"""From a command line to a run: Hydra composes, the schema checks, then the heavy part begins."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from surrolab.composition import check_flags, explain, without_leftovers
from surrolab.errors import UserError, one_line
from surrolab.memory import ask_for_huge_pages, loading
from surrolab.run.directory import RunDirectory
from surrolab.schema import CONF, validate


def run_command(words: list[str]) -> int:
    """Train as the words say; the exit status."""
    _check_launcher()
    resume = [word for word in words if word.startswith("resume=") and word != "resume=null"]
    if resume:
        from surrolab.cli.resume import resume_command

        return resume_command(words)
    check_flags(words)
    status: list[int] = []
    errors: list[Exception] = []

    def job(config: DictConfig) -> None:
        # Kept from Hydra, which would print a line of its own. In a multirun the other jobs run.
        try:
            status.append(_job(config))
        except Exception as error:
            errors.append(error)
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                number = HydraConfig.get().job.num
                print(f"surrolab: job {number}: {one_line(error)}", file=sys.stderr)

    app = hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")(job)
    with _arguments(words), _full_errors():
        try:
            app()
        except OSError as error:
            raise UserError(
                f"hydra.run.dir: {error.filename} cannot be written ({error.strerror}); allowed: "
                "a directory that can"
            ) from error
        except Exception as error:
            explained = explain(error, words)
            if explained is None:
                raise
            raise explained from error
    if errors and not {"--multirun", "-m"} & set(words):
        raise errors[0]
    # The errors of a multirun have been told one by one.
    return max([*status, *(2 if isinstance(e, UserError) else 1 for e in errors)], default=0)


def _job(config: DictConfig) -> int:
    """One job of Hydra's: a run in a directory of its own."""
    hydra_config = HydraConfig.get()
    wanted = Path(hydra_config.runtime.output_dir)
    own = any(word.startswith("hydra.run.dir=") for word in hydra_config.overrides.hydra)
    choices = {
        group: option for group, option in hydra_config.runtime.choices.items() if "/" not in group
    }
    try:
        container: Any = OmegaConf.to_container(config, resolve=True)
        words = list(hydra_config.overrides.task)  # with interpolations resolved, as the above
        container, notes = without_leftovers(container, words, choices)
        valid = validate(container)
        if valid["resume"] is not None:
            raise UserError("resume: as +resume or ++resume; allowed: resume=RUN_DIR")
    except (OmegaConfBaseException, UserError) as error:
        if not own:
            _remove_if_empty(wanted)
        raise UserError(one_line(error)) from error
    directory = RunDirectory.claim(wanted, must_be_new=own)
    directory.write_config(valid, words, choices)
    if valid["keep_memory"]:
        ask_for_huge_pages()
    try:
        with loading():
            from surrolab.run.execute import execute
            from surrolab.tracking import prepare

            prepare(valid["logger"])
        return execute(valid, directory, notes=notes)
    except BaseException as error:
        if not directory.result.exists():  # it did not come as far as the run itself
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            directory.write_failure(status, valid["seed"], one_line(error))
        raise


def _check_launcher() -> None:
    """Refuse to be started once per process: each would take a run directory of its own."""
    several = os.environ.get("SLURM_PROCID") and int(os.environ.get("SLURM_NTASKS", "1")) > 1
    if "LOCAL_RANK" in os.environ or several:
        raise UserError(
            "trainer.devices: started by torchrun or srun as one of several processes; allowed: "
            "start it once, it starts the processes of trainer.devices itself"
        )


def _remove_if_empty(path: Path) -> None:
    """Hydra makes the directory before the job can refuse its configuration."""
    for folder in (path, path.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    """Hydra reads ``sys.argv``."""
    before = sys.argv
    sys.argv = [before[0], *words]
    try:
        yield
    finally:
        sys.argv = before


@contextlib.contextmanager
def _full_errors() -> Iterator[None]:
    """Have Hydra raise its errors rather than print them over many lines and exit."""
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before
