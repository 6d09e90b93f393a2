"""For the making of environments: a small wheel that stands for the engine, and a package index on this computer that serves wheels."""

from __future__ import annotations

import re
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

_ENGINE = """\
import json, sys
facts = {"protocol": 1, "version": "0.0", "torch": "2.9", "device_name": "a stand-in"}
print(json.dumps({"jsonrpc": "2.0", "method": "ready", "params": facts}), flush=True)
sys.stdin.read()
"""
_CHUNK_BYTES = 2**16


def stand_in_wheel(
    folder: Path, name: str = "datasetnerf", *, needs: str = "", more_bytes: int = 0, engine: str = _ENGINE
) -> Path:
    """A wheel that installs in no time, with an engine that greets.

    Args:
        needs: another project that it requires.
        more_bytes: of ballast.
        engine: the program of its worker; "": it has none.
    """
    path = folder / f"{name}-0.0-py3-none-any.whl"
    info = f"{name}-0.0.dist-info"
    requirement = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(path, "w") as archive:
        if engine:
            archive.writestr("headless/__init__.py", "")
            archive.writestr("headless/cli.py", engine)
        archive.writestr(f"{name}_stand_in.py", "here = True\n")
        archive.writestr(f"{name}_ballast.bin", bytes(more_bytes))
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0\n{requirement}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@contextmanager
def served_index(folder: Path, *, bytes_a_second: float = float("inf"), status: int = 200) -> Iterator[str]:
    """A package index (PEP 503) of the wheels in a folder, for this computer alone; yields its address.

    Args:
        bytes_a_second: how fast files come.
        status: what every request is answered with; 200: what was asked for.
    """

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = [unquote(part) for part in self.path.split("/") if part]
            if status != 200:
                self._answer(status, b"no")
            elif len(parts) == 2 and parts[0] == "simple" and (names := _wheels(folder, parts[1])):
                links = "".join(f'<a href="/files/{quote(name)}">{name}</a>\n' for name in names)
                self._answer(200, f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
            elif len(parts) == 2 and parts[0] == "files" and (folder / parts[1]).is_file():
                self._answer(200, (folder / parts[1]).read_bytes(), "application/octet-stream", bytes_a_second)
            else:
                self._answer(404, b"no such thing")

        def _answer(self, code: int, body: bytes, kind: str = "text/plain", rate: float = float("inf")) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                for start in range(0, len(body), _CHUNK_BYTES):
                    self.wfile.write(body[start : start + _CHUNK_BYTES])
                    time.sleep(_CHUNK_BYTES / rate)
            except OSError:
                self.close_connection = True  # whoever asked has been ended

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _wheels(folder: Path, project: str) -> list[str]:
    """The wheels of a project, by its normalised name."""
    return sorted(
        path.name for path in folder.glob("*.whl") if re.sub(r"[-_.]+", "-", path.name.split("-")[0]).lower() == project
    )
