"""What the server of ``wandb_server.py`` answers in GraphQL, and what it keeps."""

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_server import WandbServer

ENTITY = "team"
FIELDS = ("groupName", "jobType", "displayName", "notes", "tags", "commit", "program", "host")


@dataclass
class Run:
    """A run as the server knows it; lines of its streams by their number."""

    id: str
    project: str
    entity: str
    about: dict[str, Any] = field(default_factory=dict)
    config_json: str = "{}"
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    uploaded: list[str] = field(default_factory=list)
    state: str = "running"
    exitcode: int | None = None

    @property
    def config(self) -> dict[str, Any]:
        """Without W&B's own part."""
        whole = {key: item["value"] for key, item in json.loads(self.config_json).items()}
        whole.pop("_wandb", None)
        return whole

    @property
    def definitions(self) -> dict[str, dict[str, Any]]:
        """Definitions of metrics by name or glob: ``step``, ``summary``, ``goal``."""
        own = json.loads(self.config_json).get("_wandb", {}).get("value", {})
        return definitions(own.get("m", []))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Its rows by W&B's step: one that comes again, as ``wandb sync`` does it, is the same."""
        rows = {row["_step"]: row for row in self.history_lines}
        return [rows[step] for step in sorted(rows)]

    @property
    def history_lines(self) -> list[dict[str, Any]]:
        """Its rows as they came."""
        lines = self.lines.get("wandb-history.jsonl", {})
        return [json.loads(lines[number]) for number in sorted(lines)]

    @property
    def summary(self) -> dict[str, Any]:
        lines = self.lines.get("wandb-summary.json", {})
        return json.loads(lines[max(lines)]) if lines else {}

    def stream(self, said: dict[str, Any]) -> None:
        for name, chunk in (said.get("files") or {}).items():
            kept = self.lines.setdefault(name, {})
            for number, line in enumerate(chunk["content"], chunk["offset"]):
                kept[number] = line
        self.uploaded += said.get("uploaded") or []
        if said.get("complete"):
            self.exitcode = said["exitcode"]
            self.state = "finished" if self.exitcode == 0 else "failed"
        else:
            self.state = "running"


def definitions(coded: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Metric definitions from the numbers by which W&B codes them."""
    names = [item.get("1") or item.get("2") for item in coded]
    found = {}
    for name, item in zip(names, coded, strict=True):
        step = names[item["5"] - 1] if "5" in item else item.get("4")
        found[name] = {
            "step": step,
            "options": item.get("6", []),
            "summary": item.get("7", []),
            "goal": item.get("8"),
        }
    return found


@dataclass
class Artifact:
    """An artifact: what was said of it, its manifest and its files by path."""

    id: str
    type: str
    name: str
    digest: str
    run: str | None
    said: dict[str, Any]
    committed: bool = False
    manifest: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


class Graph:
    """Answers operations by their name."""

    def __init__(self, server: "WandbServer") -> None:
        self._server = server
        self.runs: dict[str, Run] = {}
        self.artifacts: list[Artifact] = []
        self.views: dict[str, dict[str, Any]] = {}

    def answer(self, name: str, request: dict[str, Any]) -> tuple[int, Any]:
        method = getattr(self, f"_{name}", None)
        if method is None:
            self._server.unknown.append(name)
            return 400, {"errors": [{"message": f"no operation {name}"}]}
        return 200, {"data": method(request.get("variables") or {})}

    def stored(self, where: str, body: bytes) -> None:
        kind, owner, name = where.split("/", 2)
        if kind == "run":
            self.runs[owner].files[name] = body
        elif kind == "manifest":
            self._artifact(owner).manifest = json.loads(body)
        else:
            self._artifact(owner).files[name] = body

    def _artifact(self, id: str) -> Artifact:
        return next(artifact for artifact in self.artifacts if artifact.id == id)

    def _Viewer(self, _: Any) -> Any:
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        viewer = {
            "id": "VXNlcjox",
            "entity": ENTITY,
            "username": "user",
            "email": "",
            "flags": "{}",
        }
        return {"viewer": viewer | {"teams": teams}}

    _GetDefaultEntity = _Viewer

    def _ServerFeaturesQuery(self, _: Any) -> Any:
        return {"serverInfo": {"features": []}}

    def _OrganizationCoreWeaveOrganizationID(self, _: Any) -> Any:
        return {"entity": {"organization": {"coreWeaveOrganizationId": None}}}

    def _UpsertBucket(self, said: dict[str, Any]) -> Any:
        inserted = said["name"] not in self.runs
        run = self.runs.setdefault(
            said["name"], Run(said["name"], said["project"], said.get("entity") or ENTITY)
        )
        run.about |= {key: said[key] for key in FIELDS if said.get(key) is not None}
        if said.get("config"):
            run.config_json = said["config"]
        if inserted or said.get("state"):
            run.state = said.get("state") or "running"
        return {"upsertBucket": {"bucket": self._bucket(run), "inserted": inserted}}

    def _bucket(self, run: Run) -> dict[str, Any]:
        history = run.lines.get("wandb-history.jsonl", {})
        events = run.lines.get("wandb-events.jsonl", {})
        entity = {"id": "e", "name": run.entity}
        return {
            "id": f"id-{run.id}",
            "name": run.id,
            "displayName": run.about.get("displayName", run.id),
            "description": None,
            "notes": run.about.get("notes"),
            "tags": run.about.get("tags", []),
            "config": run.config_json,
            "wandbConfig": json.dumps({"t": json.loads(run.config_json).get("_wandb", {})}),
            "sweepName": None,
            "project": {"id": "p", "name": run.project, "entity": entity},
            "summaryMetrics": json.dumps(run.summary),
            "historyLineCount": len(history),
            "eventsLineCount": len(events),
            "logLineCount": len(run.lines.get("output.log", {})),
            "historyTail": json.dumps([history[n] for n in sorted(history)[-1:]]),
            "eventsTail": json.dumps([events[n] for n in sorted(events)[-1:]]),
        }

    def _RunResumeStatus(self, said: dict[str, Any]) -> Any:
        run = self.runs.get(said["name"])
        entity = {"id": "e", "name": ENTITY}
        bucket = None if run is None else self._bucket(run)
        return {"model": {"id": "p", "name": said["project"], "entity": entity, "bucket": bucket}}

    def _RunState(self, said: dict[str, Any]) -> Any:
        run = self.runs.get(said["run"])
        return {"project": {"run": run and {"id": f"id-{run.id}", "state": run.state}}}

    def _CreateRunFiles(self, said: dict[str, Any]) -> Any:
        base = f"{self._server.url}/storage/run/{said['run']}"
        files = [{"name": name, "uploadUrl": f"{base}/{name}"} for name in said["files"]]
        return {"createRunFiles": {"runID": said["run"], "uploadHeaders": [], "files": files}}

    def _MarkRunFilesUploaded(self, _: Any) -> Any:
        return {"markRunFilesUploaded": {"success": True}}

    def _CreateArtifact(self, said: dict[str, Any]) -> Any:
        about = said["input"]
        names = about.get("artifactCollectionNames") or [about.get("artifactCollectionName")]
        same = [a for a in self.artifacts if (a.name, a.digest) == (names[0], about["digest"])]
        if not same:
            id = f"QXJ0aWZhY3Q{len(self.artifacts)}"
            kept = Artifact(
                id, about["artifactTypeName"], names[0], about["digest"], about["runName"], about
            )
            self.artifacts.append(kept)
            same = [kept]
        state = "COMMITTED" if same[0].committed else "PENDING"
        sequence = {"id": f"s-{names[0]}", "latestArtifact": None}
        artifact = {"id": same[0].id, "state": state, "artifactSequence": sequence}
        return {"createArtifact": {"artifact": artifact}}

    def _CreateArtifactManifest(self, said: dict[str, Any]) -> Any:
        return {"createArtifactManifest": self._manifest(said["artifactID"])}

    def _UpdateArtifactManifest(self, said: dict[str, Any]) -> Any:
        return {"updateArtifactManifest": self._manifest(said["artifactManifestID"][2:])}

    def _manifest(self, id: str) -> Any:
        url = f"{self._server.url}/storage/manifest/{id}/wandb_manifest.json"
        file = {"id": f"f-{id}", "uploadUrl": url, "uploadHeaders": []}
        return {"artifactManifest": {"id": f"m-{id}", "file": file}}

    def _CreateArtifactFiles(self, said: dict[str, Any]) -> Any:
        edges = []
        for file in said["input"]["artifactFiles"]:
            where = f"artifact/{file['artifactID']}/{file['name']}"
            node = {
                "storagePath": where,
                "uploadUrl": f"{self._server.url}/storage/{where}",
                "uploadHeaders": [],
                "uploadMultipartUrls": None,
                "artifact": {"id": file["artifactID"]},
            }
            edges.append({"node": node})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def _CommitArtifact(self, said: dict[str, Any]) -> Any:
        artifact = self._artifact(said["artifactID"])
        artifact.committed = True
        return {"commitArtifact": {"artifact": {"id": artifact.id, "digest": artifact.digest}}}

    def _ArtifactType(self, _: Any) -> Any:
        return {"project": None}

    def _FetchArtifactDigestAlgorithm(self, _: Any) -> Any:
        return {"project": {"artifactType": None}}

    def _XXHashDigestsEnabled(self, _: Any) -> Any:
        return {"entity": {"xxhashDigestsEnabled": False}}

    def _View(self, said: dict[str, Any]) -> Any:
        name = f"nw-{said['viewName']}-v"
        found = [view for view in self.views.values() if said["viewName"] in (view["name"], name)]
        edges = [{"node": view} for view in found]
        return {"project": {"allViews": {"edges": edges}}}

    def _ProjectViews(self, said: dict[str, Any]) -> Any:
        kind = said.get("viewType", "runs")
        found = [view | {"user": None} for view in self.views.values() if view["type"] == kind]
        edges = [{"node": view, "cursor": "c"} for view in found]
        page = {"endCursor": "c", "hasNextPage": False}
        return {"project": {"allViews": {"edges": edges, "pageInfo": page}}}

    def _GetProjects(self, said: dict[str, Any]) -> Any:
        node: dict[str, Any] = {
            "id": "p",
            "name": "surrolab",
            "entityName": ENTITY,
            "createdAt": "",
        }
        node |= {"isBenchmark": False, "user": None}
        page = {"endCursor": "c", "hasNextPage": False}
        return {"models": {"edges": [{"node": node, "cursor": "c"}], "pageInfo": page}}

    def _ProjectInternalId(self, _: Any) -> Any:
        return {"project": {"id": "p", "internalId": "UHJvamVjdDox"}}

    def _UpsertView2(self, said: dict[str, Any]) -> Any:
        return self._upserted(said)

    def _upsertView(self, said: dict[str, Any]) -> Any:
        return self._upserted(said)

    def _upserted(self, said: dict[str, Any]) -> Any:
        id = said.get("id") or f"Vmlldzo{len(self.views)}"
        inserted = id not in self.views
        project = {"id": "p", "name": said["projectName"], "entityName": said["entityName"]}
        kept = ("type", "name", "displayName", "description", "spec")
        view = {key: said.get(key) for key in kept} | {"id": id, "project": project}
        self.views[id] = view | {"updatedAt": None, "createdAt": None}
        return {"upsertView": {"view": self.views[id], "inserted": inserted}}
