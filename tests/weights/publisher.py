"""A publisher for tests: a server on this machine, and a package that registers its weights."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml


@dataclass
class Publisher:
    """What the server has, and how it answers.

    Attributes:
        files: {name: content}.
        cut: Bytes after which it breaks off an answer.
        ranges: Whether it can send a part of a file.
        asked: The Range of each request, None where it has none.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: int | None = None
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)

    def file(self, name: str, digits: int = 64) -> dict[str, Any]:
        """What a catalog says of a file."""
        content = self.files[name]
        return {"url": f"{self.address}/{name}", "sha256": hashlib.sha256(content).hexdigest()[:digits]}


@contextmanager
def publishing() -> Iterator[Publisher]:
    """A publisher whose server runs within the block."""
    publisher = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            publisher.asked.append(asked)
            content = publisher.files.get(self.path[1:])
            if content is None:
                return self.send_error(404)
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and publisher.ranges else 0
            if begin >= len(content):
                return self.send_error(416)
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            self.wfile.write(content[begin : publisher.cut])
            return None

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    publisher.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield publisher
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def register(
    folder: Path, monkeypatch: pytest.MonkeyPatch, weights: dict[str, Any], source: str, family: str = "stranger"
) -> None:
    """Install a package that brings weights.

    Args:
        folder: Where it lies.
        monkeypatch: Of the test.
        weights: Fields by name; those that all must have are filled in.
        source: Of its module, which defines `convert`.
        family: The name of the entry point, and of the module.
    """
    module = f"weights_of_{family}_{abs(hash(folder))}"
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {family}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[msbench.weights]\n{family} = {module}:convert\n")
    (folder / f"{module}.py").write_text(source)
    shared = {"licence": "CC0", "citation": "nobody", "source": "nowhere"}
    (folder / f"{module}.yaml").write_text(yaml.safe_dump({"shared": shared, "weights": weights}))
    monkeypatch.syspath_prepend(folder)
