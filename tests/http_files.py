"""A real HTTP server whose files, and whose faults, the tests choose."""

import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE = 1 << 14


@dataclass
class Fault:
    """What is wrong with one answer.

    Attributes:
        status: the answer's, without a body.
        headers: more of them.
        stop_after: the connection ends after so many bytes of the body.
        wait: seconds before each piece of the body.
        whole: whether a range that is asked for is ignored.
        body: sent instead of the file.
        shift: the part sent begins so many bytes later than asked for.
        chunked: whether the length is not said (RFC 9112, 7.1).
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    stop_after: int | None = None
    wait: float = 0.0
    whole: bool = False
    body: bytes | None = None
    shift: int = 0
    chunked: bool = False


@dataclass
class HttpFiles:
    """The server; ``faults`` of a path are used up one a request, the last one stays."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    sent: int = 0
    validators: bool = True

    def add(self, path: str, content: bytes, *faults: Fault) -> str:
        """Serve a file; its address."""
        self.files[path] = content
        if faults:
            self.faults[path] = list(faults)
        return f"{self.address}{path}"


@contextlib.contextmanager
def serving() -> Iterator[HttpFiles]:
    """Such a server on a port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.files = HttpFiles(f"http://127.0.0.1:{server.server_port}/")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.files  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files: HttpFiles = self.server.files  # type: ignore[attr-defined]
        path = self.path.lstrip("/")
        asked = self.headers.get("Range")
        files.requests.append((path, asked))
        faults = files.faults.get(path, [])
        fault = Fault() if not faults else faults.pop(0) if len(faults) > 1 else faults[0]
        if path not in files.files and fault.status is None:
            fault = Fault(status=404)
        if fault.status is not None:
            self._head(fault.status, {"Content-Length": "0", **fault.headers})
            return
        content = fault.body if fault.body is not None else files.files[path]
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        first = 0
        if asked and not fault.whole and self.headers.get("If-Range", etag) == etag:
            first = int(asked.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                self._head(416, {"Content-Length": "0"})
                return
        first += fault.shift
        headers = {"Content-Length": str(len(content) - first), **fault.headers}
        if fault.chunked:
            del headers["Content-Length"]
            headers["Transfer-Encoding"] = "chunked"
        if files.validators:
            headers["ETag"] = etag
        if first:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        self._head(206 if first else 200, headers)
        end = len(content) if fault.stop_after is None else first + fault.stop_after
        with contextlib.suppress(ConnectionError):
            for at in range(first, min(end, len(content)), PIECE):
                time.sleep(fault.wait)
                piece = content[at : min(at + PIECE, end)]
                files.sent += len(piece)  # before, as who has got it looks
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if fault.chunked else piece)
            if fault.chunked and end >= len(content):
                self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.server.files.statuses.append(status)  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: the tests look at ``requests``."""
