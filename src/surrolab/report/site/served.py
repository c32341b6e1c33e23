"""The site as a web application whose pages load themselves again when they have changed."""

import mimetypes
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

FOLDERS = ("assets", "runs", "curves", "sweeps")
# Asks now and then whether the page is another. Only here: from a file there is nobody to ask.
WATCH = """"use strict";
(() => {
  const mine = document.currentScript.dataset.mark;
  const ask = async () => {
    try {
      const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
      const mark = answer.headers.get("ETag");
      if (answer.ok && mark && mark !== mine && !document.hidden) location.reload();
    } catch { /* the server has ended: the page stays as it is */ }
    setTimeout(ask, 2000);
  };
  setTimeout(ask, 2000);
})();
"""


def application(site: Path) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """A WSGI application: the files of the site, and nothing beside them."""

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        # Without its port, which browsers leave out where it is 80.
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        if host not in ("127.0.0.1", "localhost"):
            return _refuse(start, "403 Forbidden")  # a name that someone else points here
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _refuse(start, "405 Method Not Allowed")
        found = _read(site, environ.get("PATH_INFO", "/"))
        if found is None:
            return _refuse(start, "404 Not Found")
        name, data, mark = found
        if name.endswith(".html"):
            data = _watched(data, mark)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(data))),
            ("Cache-Control", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
            ("ETag", mark),
        ]
        if environ.get("HTTP_IF_NONE_MATCH") == mark:
            start("304 Not Modified", [("ETag", mark)])
            return []
        start("200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [data]

    return answer


def _read(site: Path, path: str) -> tuple[str, bytes, str] | None:
    """Name, content, and what changes with it."""
    parts = PurePosixPath(path).parts[1:] or ("index.html",)
    if parts == ("watch.js",):
        return "watch.js", WATCH.encode(), '"watch"'
    allowed = parts == ("index.html",) or (len(parts) == 2 and parts[0] in FOLDERS)
    if not allowed or any(part.startswith(".") or "\0" in part for part in parts):
        return None
    file = site.joinpath(*parts)
    try:
        stat = file.stat()
        return parts[-1], file.read_bytes(), f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    except OSError:
        return None


def _watched(page: bytes, mark: str) -> bytes:
    script = f"<script src=\"/watch.js\" data-mark='{mark}'></script></body>"
    page = page.replace(b"connect-src 'none'", b"connect-src 'self'", 1)
    head, end, rest = page.rpartition(b"</body>")
    return head + script.encode() + rest if end else page


def _refuse(start: Any, status: str) -> list[bytes]:
    text = f"{status[4:]}\n".encode()
    start(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
