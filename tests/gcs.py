"""A small stand-in for Google Cloud Storage on this machine: the part of its XML API that is used.

Objects live in memory. As in the real service, each write gives an object a new generation, and
`x-goog-if-generation-match` puts one only if it is of that generation, 0 for none.
"""

import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

XML = '<?xml version="1.0" encoding="UTF-8"?>'


class Store(ThreadingHTTPServer):
    """The server, its objects by `bucket/name`, and the uploads in parts that are going on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.objects: dict[str, bytes] = {}
        self.written: dict[str, tuple[int, float]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.lock = threading.Lock()

    def put(self, name: str, data: bytes) -> None:
        """Stores an object under its next generation, and when."""
        self.objects[name] = data
        self.written[name] = (self.generation(name) + 1, time.time())

    def generation(self, name: str) -> int:
        """That of an object that is there or was; a new one goes on counting."""
        return self.written.get(name, (0, 0.0))[0]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_GET(self) -> None:
        name, asked = self._asked()
        if "list-type" in asked:
            self._list(name.strip("/"), asked)
            return
        data = self.server.objects.get(name)
        if data is None:
            self._answer(404, _error("NoSuchKey", "The specified key does not exist."))
            return
        wanted = self.headers.get("Range")
        if wanted is None:
            self._answer(200, data, self._about(name))
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start = int(first) if first else len(data) - int(last)
        stop = min(int(last) + 1, len(data)) if first and last else len(data)
        extra = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
        self._answer(206, data[start:stop], extra | self._about(name))

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        name, asked = self._asked()
        data = self._body()
        with self.server.lock:
            if "uploadId" in asked:
                self.server.uploads[asked["uploadId"]][int(asked["partNumber"])] = data
            elif not self._may_put(name):
                self._answer(412, _error("PreconditionFailed", "It is of another generation."))
                return
            else:
                self.server.put(name, data)
        self._answer(200, b"", {"ETag": _etag(data), **self._about(name)})

    def do_POST(self) -> None:
        name, asked = self._asked()
        self._body()
        with self.server.lock:
            if "uploads" in asked:
                upload = str(len(self.server.uploads))
                self.server.uploads[upload] = {}
                about = f"<UploadId>{upload}</UploadId>"
                self._answer(200, _xml("InitiateMultipartUploadResult", about))
                return
            parts = self.server.uploads[asked["uploadId"]]
            self.server.put(name, b"".join(parts[number] for number in sorted(parts)))
        etag = f"<ETag>{_etag(self.server.objects[name])}</ETag>"
        self._answer(200, _xml("CompleteMultipartUploadResult", etag))

    def do_DELETE(self) -> None:
        name, _ = self._asked()
        self._answer(204 if self.server.objects.pop(name, None) is not None else 404, b"")

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        asked = parse_qs(parts.query, keep_blank_values=True)
        return unquote(parts.path).lstrip("/"), {name: values[0] for name, values in asked.items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _may_put(self, name: str) -> bool:
        wanted = self.headers.get("x-goog-if-generation-match")
        there = self.server.generation(name) if name in self.server.objects else 0
        return wanted is None or int(wanted) == there

    def _about(self, name: str) -> dict[str, str]:
        """The headers that say which state of an object it is."""
        generation, written = self.server.written.get(name, (1, 0.0))
        return {
            "x-goog-generation": str(generation),
            "Last-Modified": formatdate(written, usegmt=True),
        }

    def _list(self, bucket: str, asked: dict[str, str]) -> None:
        prefix, after = asked.get("prefix", ""), asked.get("start-after", "")
        found, folders = [], set()
        for full, data in sorted(self.server.objects.items()):
            name = full.removeprefix(f"{bucket}/")
            if name == full or not name.startswith(prefix) or name <= after:
                continue
            inner, slash, _ = name.removeprefix(prefix).partition("/")
            if asked.get("delimiter") and slash:
                folders.add(f"<CommonPrefixes><Prefix>{prefix}{inner}/</Prefix></CommonPrefixes>")
                continue
            found.append(
                f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size>"
                f"<LastModified>{_time(self.server.written[full][1])}</LastModified>"
                f"<ETag>{_etag(data)}</ETag></Contents>"
            )
        self._answer(200, _xml("ListBucketResult", "".join([*found, *sorted(folders)])))

    def _answer(self, status: int, data: bytes, extra: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(data)), "Last-Modified": formatdate(usegmt=True)}
        if status < 300:
            headers |= {"ETag": _etag(data)}
        for name, value in (headers | (extra or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def gcs_server() -> Iterator[dict[str, str]]:
    """Starts the server in a process of its own, because a client may hold this one up.

    Yields what a client finds in its environment: an account without a key, and the server.
    """
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            account = {"gcs_base_url": process.stdout.readline().strip(), "disable_oauth": True}
            account |= {"client_email": "", "private_key": "", "private_key_id": ""}
            yield {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account), "GOOGLE_ALLOW_HTTP": "true"}
        finally:
            process.kill()


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _xml(name: str, content: str) -> bytes:
    return f"{XML}<{name}>{content}</{name}>".encode()


def _error(code: str, message: str) -> bytes:
    return _xml("Error", f"<Code>{code}</Code><Message>{message}</Message>")


if __name__ == "__main__":
    with Store() as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
