"""A server on loopback that speaks as much of W&B's protocol as its client needs, and keeps it all.

Learnt from what the client of W&B 0.31 asks: GraphQL for runs, files and artifacts;
``file_stream`` for history, summary and console; PUT for files. It can refuse keys, be slow, and
die and come back on the same port with what it had.
"""

import contextlib
import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from wandb_server_graphql import Artifact, Graph, Run

KEY = "0123456789abcdef0123456789abcdef01234567"


class WandbServer:
    """A W&B server on a free port of this machine.

    ``runs`` and ``artifacts`` are what it got; ``asked`` names what it was asked, in order, and
    ``unknown`` what it had no answer to. ``delay`` seconds pass before each answer; with
    ``refuse_keys`` each is a 401; ``broken`` is a status that all have in place of their own.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.refuse_keys = False
        self.broken: int | None = None
        self.asked: list[str] = []
        self.unknown: list[str] = []
        self.graph = Graph(self)
        self._die_when: tuple[str, int] | None = None
        self._lock = threading.RLock()
        self._open: set[socket.socket] = set()
        self._server: _Listener | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a client use this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    @property
    def runs(self) -> dict[str, Run]:
        return self.graph.runs

    @property
    def run(self) -> Run:
        """The only run."""
        (run,) = self.runs.values()
        return run

    @property
    def artifacts(self) -> list[Artifact]:
        return self.graph.artifacts

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._server = _Listener(("127.0.0.1", self.port), _Handler)
        self._server.owner = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()

    def die(self) -> None:
        """Cut all connections and refuse new ones; what came is kept."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def die_after(self, what: str, times: int) -> None:
        """Die in place of answering the request after so many more of this kind."""
        with self._lock:
            self._die_when = (what, times + self._count(what))

    def _count(self, what: str) -> int:
        return sum(name.startswith(what) for name in self.asked)

    @property
    def alive(self) -> bool:
        return self._server is not None

    def wait_for(self, what: str, timeout: float = 60) -> None:
        """Until it has been asked for something whose name begins like this."""
        end = time.monotonic() + timeout
        while not any(name.startswith(what) for name in self.asked):
            assert time.monotonic() < end, f"{what} did not come: {self.asked}"
            time.sleep(0.02)

    def answer(self, handler: "_Handler", body: bytes) -> tuple[int, Any]:
        """The status and what is answered; None where there is no answer but an end."""
        path = handler.path.partition("?")[0]
        request = json.loads(body) if path == "/graphql" else {}
        name = _name(path, request)
        with self._lock:
            self.asked.append(name)
            if self._die_when is not None:
                what, times = self._die_when
                if self._count(what) > times:
                    self._die_when = None
                    threading.Thread(target=self.die, daemon=True).start()
                    return 0, None
        if self.delay:
            time.sleep(self.delay)
        if self.broken is not None:
            return self.broken, {"error": "broken"}
        if self.refuse_keys and not path.startswith("/storage/"):
            return 401, {"errors": [{"message": "user is not logged in"}]}
        with self._lock:
            if path == "/graphql":
                return self.graph.answer(name, request)
            if match := re.fullmatch(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream", path):
                return self._stream(match[3], json.loads(body))
            if path.startswith("/storage/"):
                self.graph.stored(path.removeprefix("/storage/"), body)
                return 200, {}
            if not path.startswith("/sdk/otel/"):  # how the client fares, for its makers
                self.unknown.append(f"{handler.command} {path}")
            return 404, {"error": f"nothing at {path}"}

    def _stream(self, run_id: str, said: dict[str, Any]) -> tuple[int, Any]:
        run = self.runs.get(run_id)
        if run is None:
            return 404, {"error": "no such run"}
        run.stream(said)
        return 200, {"exitcode": None, "limits": {}}

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)


def _name(path: str, request: dict[str, Any]) -> str:
    if path == "/graphql":
        found = re.search(r"\b(?:query|mutation)\s+(\w+)", request["query"])
        return found[1] if found else "anonymous"
    return "file_stream" if path.endswith("/file_stream") else path.strip("/")


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    owner: WandbServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away, or that was cut off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> WandbServer:
        return cast(_Listener, self.server).owner

    def setup(self) -> None:
        super().setup()
        self.owner.opened(self.connection)

    def finish(self) -> None:
        self.owner.closed(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        status, value = self.owner.answer(self, body)
        if not status:
            self.close_connection = True
            return
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _any


@contextlib.contextmanager
def running() -> Iterator[WandbServer]:
    """A server that ends with the block."""
    server = WandbServer()
    try:
        yield server
    finally:
        server.die()
