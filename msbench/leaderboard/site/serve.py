"""A web server for a board's pages, on this machine alone."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"


def server(board: str | Path, port: int) -> ThreadingHTTPServer:
    """A server of <board>/site on this machine alone; port 0 takes a free one.

    Raises:
        FileNotFoundError: If the board has no pages yet.
        ValueError: If the port is taken or invalid.
    """
    site = Path(board) / "site"
    if not (site / "index.html").is_file():
        raise FileNotFoundError(f"no pages in {site}: msbench board build {board}")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(site)))
    except (OSError, OverflowError) as error:
        raise ValueError(f"cannot serve on port {port} ({error}): give another with --port") from error


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # a board built again is seen at once
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Stay silent: requests are not logged."""
