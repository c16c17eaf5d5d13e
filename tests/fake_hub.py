"""A Hub on the loopback: data sets and models with branches, commits and files, over real HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

Commits = dict[str, dict[str, bytes]]
"""Files of each commit, by its sha."""


@dataclass(frozen=True)
class Repo:
    """A repository: the commit of each branch, and the files of each commit."""

    branches: dict[str, str]
    commits: Commits

    def sha(self, revision: str) -> str | None:
        sha = self.branches.get(revision, revision)
        return sha if sha in self.commits else None


@contextmanager
def fake_hub(repos: dict[str, Repo]) -> Iterator[tuple[str, list[str]]]:
    """Serves repositories; yields the endpoint and the list of requests it got.

    Args:
        repos: by kind and name, such as `datasets/org/name` or `models/org/name`.
    """
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def say(self, value: object) -> None:
            self.answer(json.dumps(value).encode(), Content_Type="application/json")

        def missing(self, code: str) -> None:
            self.answer(b"{}", 404, X_Error_Code=code, X_Error_Message=code)

        def do_GET(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            raw = urlsplit(self.path).path
            path = unquote(raw)
            seen.append(f"{self.command} {path}")
            for key, repo in repos.items():
                api, files = f"/api/{key}", f"/{key.removeprefix('models/')}/resolve/"
                if path == api or path.startswith(f"{api}/"):
                    parts = raw.removeprefix(api).strip("/").split("/")
                    return self.api(key, repo, [unquote(part) for part in parts], body)
                if path.startswith(files):
                    revision, _, file = path.removeprefix(files).partition("/")
                    return self.file(repo, revision, file)
            return self.missing("RepoNotFound")

        do_POST = do_HEAD = do_GET

        def api(self, key: str, repo: Repo, parts: list[str], body: str) -> None:
            kind, revision = [*parts, "", ""][:2]
            sha = repo.sha(revision or "main")
            if sha is None:
                return self.missing("RevisionNotFound")
            tree = [entry(path, data) for path, data in sorted(repo.commits[sha].items())]
            if kind == "tree":
                return self.say(
                    listing(tree, "/".join(parts[2:]), "recursive=" in self.path.lower())
                )
            if kind == "paths-info":
                fields = parse_qs(body) if not body.startswith("{") else json.loads(body)
                return self.say([e for e in tree if e["path"] in fields["paths"]])
            siblings = [{"rfilename": e["path"]} for e in tree]
            return self.say(
                {
                    "_id": "1",
                    "id": key.partition("/")[2],
                    "sha": sha,
                    "siblings": siblings,
                    "tags": [],
                    "private": False,
                    "disabled": False,
                    "gated": False,
                    "downloads": 0,
                    "likes": 0,
                }
            )

        def file(self, repo: Repo, revision: str, path: str) -> None:
            sha = repo.sha(revision)
            data = repo.commits[sha].get(path) if sha else None
            if data is None:
                return self.missing("EntryNotFound")
            headers = {
                "X_Repo_Commit": sha,
                "ETag": f'"{entry(path, data)["oid"]}"',
                "Accept_Ranges": "bytes",
            }
            wanted = self.headers.get("Range")
            if wanted:
                start, _, stop = wanted.removeprefix("bytes=").partition("-")
                last = min(int(stop or len(data) - 1), len(data) - 1)
                headers["Content_Range"] = f"bytes {start}-{last}/{len(data)}"
                return self.answer(data[int(start) : last + 1], 206, **headers)
            return self.answer(data, **headers)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def entry(path: str, data: bytes) -> dict[str, object]:
    """A file as the Hub's tree lists it."""
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return {"type": "file", "path": path, "oid": oid, "size": len(data)}


def listing(tree: list[dict[str, object]], under: str, recursive: bool) -> list[dict[str, object]]:
    """What the Hub lists in a folder: its entries, or everything beneath it."""
    prefix = f"{under}/" if under else ""
    inside = [e for e in tree if str(e["path"]).startswith(prefix)]
    rests = {str(e["path"]): str(e["path"]).removeprefix(prefix) for e in inside}
    folders = {prefix + rest.split("/")[0] for rest in rests.values() if "/" in rest}
    found = [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in sorted(folders)]
    return found + [e for e in inside if recursive or "/" not in rests[str(e["path"])]]
