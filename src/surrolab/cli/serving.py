"""What commands share that show a page in the browser: the server, its port, and the browser."""

import argparse
import errno
import os
import sys
import threading
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from surrolab.errors import UserError

HOST = "127.0.0.1"  # Whoever reaches a study's page can delete the study, and runs may be private.
PORT = 8080


def port(text: str) -> int:
    """For ``type=``: a port."""
    value = int(text)
    if not 0 < value < 65536:
        raise argparse.ArgumentTypeError(f"{value} is not allowed; allowed: 1 to 65535")
    return value


port.__name__ = "whole number"  # argparse names it where it is none


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread of its own, and says nothing about it."""

    daemon_threads = True  # Ctrl-C does not wait for a request
    allow_reuse_port = False  # some Pythons let two servers have one

    def server_bind(self) -> None:
        # WSGIServer's asks the name server what this machine is called.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a browser that went away."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def open_server(port: int | None, app: Any) -> Server:
    """A server of the application, on the port or on the first from 8080 that is free.

    Raises:
        UserError: the port is taken.
    """
    ports = [port] if port else range(PORT, PORT + 100)
    for candidate in ports:
        try:
            server = Server((HOST, candidate), _Quiet)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise UserError(
                    f"--port: {candidate} cannot be used ({error.strerror}); allowed: a port that "
                    "nothing listens on"
                ) from error
        else:
            server.set_app(app)
            return server
    raise UserError(f"--port: {PORT} to {PORT + 99} are taken; allowed: a port that is not")


def serve(server: Server, path: str, browser: bool) -> None:
    """Say the page's address, show it if there is a display, and answer until Ctrl-C."""
    page = f"http://{HOST}:{server.server_port}/{path}"
    print(f"{page}  (Ctrl-C ends it)", flush=True)
    if browser and _display():
        # Some browsers return only when they are closed.
        threading.Thread(target=_open, args=[page], daemon=True).start()
    server.serve_forever()


def _display() -> bool:
    # A text browser would take the terminal.
    return sys.platform in ("darwin", "win32") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _open(page: str) -> None:
    import webbrowser

    webbrowser.open(page)
