"""Putting the team's dashboard into W&B, or into files where nobody is logged in."""

from pathlib import Path
from typing import Any, cast

from surrolab.errors import UserError, one_line
from surrolab.files import write_json
from surrolab.tracking import workspace as dashboard
from surrolab.tracking.light import quiet
from surrolab.tracking.session import answers

FILES = {"workspace": "wandb-workspace.json", "report": "wandb-report.json"}
KEPT = "wandb-dashboard.json"


def publish(entity: str | None, project: str, folder: Path) -> list[str]:
    """Save workspace and report, over those of before; what to say of it, a line each.

    Args:
        entity: of W&B; None is the user's default.
        project: likewise.
        folder: where the specification goes without a login or a server that answers, and where
            the addresses are kept.

    Raises:
        UserError: the server refuses.
    """
    import wandb

    quiet(wandb)
    url = str(wandb.setup().settings.base_url)
    why = None if answers(url) else f"no answer from {url}"
    try:
        if why is None and not wandb.login(prompt=False, verify=True):
            why = f"no login for {url}"
        if why is not None:
            return [*_write(entity, project, folder), f"{why}: written to files, not to W&B"]
        api = wandb.Api()
        entity = entity or api.default_entity
        if not entity:
            raise UserError("--entity: the login has no default; allowed: a user or a team")
        lines = _save(api, entity, project)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"--wandb: {one_line(error)}; allowed: a key from `wandb login`, and an entity and a "
            "project that it may write to"
        ) from error
    write_json(folder / KEPT, lines)
    return [f"{what}: {where}" for what, where in lines.items()]


def _save(api: Any, entity: str, project: str) -> dict[str, str]:
    """Save both; their addresses."""
    base = str(api.settings.get("base_url") or "") if isinstance(api.settings, dict) else ""
    view = dashboard.workspace(entity, project)
    view._internal_name = f"nw-{dashboard.VIEW}-v"
    known = _known_view(base, entity, project)
    if known is not None:
        view._internal_id = known
    page = dashboard.report(entity, project)
    page.id = _known_report(api, entity, project) or ""
    for made in cast(tuple[Any, Any], (view, page)):
        made.save()
    return {"workspace": str(view.url), "report": str(page.url)}


def _known_view(base: str, entity: str, project: str) -> str | None:
    from wandb_workspaces.workspaces import Workspace

    try:
        found = Workspace.from_url(f"{base}/{entity}/{project}?nw={dashboard.VIEW}")
    except Exception:  # it says that there is none by whatever comes of that
        return None
    return str(found._internal_id) or None


def _known_report(api: Any, entity: str, project: str) -> str | None:
    try:
        for found in api.reports(f"{entity}/{project}"):
            if found.display_name == dashboard.TITLE:
                return str(found.id)
    except (ValueError, AttributeError, TypeError):  # a project that is not there yet
        pass
    return None


def _write(entity: str | None, project: str, folder: Path) -> list[str]:
    whose = entity or "ENTITY"
    specifications = {
        "workspace": dashboard.specification(dashboard.workspace(whose, project)),
        "report": dashboard.specification(dashboard.report(whose, project, ask=False)),
    }
    for what, specification in specifications.items():
        write_json(folder / FILES[what], specification)
    return [f"{what}: {folder / name}" for what, name in FILES.items()]
