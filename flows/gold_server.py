"""The page on which a person labels documents: on this machine only, for whoever has its address.

It answers on loopback, under a path with a random token, and only where the request names this
machine as its host: a page of another site that is open in the same browser can neither read the
texts nor give labels.
"""

import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from nocturna.tasks.corpus.gold_sample import UNSURE
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.reading.gold_answers import Answers
from nocturna.tasks.reading.labelling_page import labelling_page

HOST = "127.0.0.1"
_MOST = 10_000
"""Bytes of an answer."""


class GoldServer(ThreadingHTTPServer):
    """Serves the labelling page of a file.

    Args:
        port: 0 for any that is free.
    """

    daemon_threads = True

    def __init__(self, answers: Answers, score: str, port: int = 0) -> None:
        super().__init__((HOST, port), _Request)
        self.answers, self.score = answers, score
        self.token = secrets.token_urlsafe(24)

    @property
    def address(self) -> str:
        """Where the page is, with its token."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"


class _Request(BaseHTTPRequestHandler):
    server: GoldServer
    timeout = 30

    def do_GET(self) -> None:
        asked = self._asked()
        if asked == "":
            nonce = secrets.token_urlsafe(16)
            page = labelling_page(self.server.score, Path(self.server.answers.path).name, nonce)
            self._answer(200, page.encode(), "text/html; charset=utf-8", nonce)
        elif asked == "rows":
            answers = self.server.answers
            pairs = zip(answers.texts, answers.labels, strict=True)
            rows = [{"text": text, "label": label} for text, label in pairs]
            self._json(200, {"labels": answers.choices, "rows": rows})
        elif asked is not None:
            self._json(404, {"error": "there is no such page"})

    def do_POST(self) -> None:
        asked = self._asked()
        if asked is None:
            return
        answers = self.server.answers
        try:
            size = int(self.headers.get("Content-Length", ""))
            if asked != "label" or self.headers.get_content_type() != "application/json":
                raise ValueError
            given = json.loads(self.rfile.read(min(max(size, 0), _MOST)))
            row, label = given["row"], given["label"]
            if type(row) is not int or not isinstance(label, str):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            self._json(400, {"error": "that is no answer"})
            return
        try:
            answers.give(row, label, (*answers.choices, UNSURE))
        except NocturnaError as error:
            self._json(409, {"error": str(error)})
        else:
            self._json(200, {"done": answers.done})

    def _asked(self) -> str | None:
        """What is asked for below the token; None where that, or the host, is another."""
        names = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        origin = self.headers.get("Origin")
        own = origin is None or origin in {f"http://{name}" for name in names}
        _, token, *rest = (*self.path.split("/", 2), "")[:3]
        right = secrets.compare_digest(token.encode(), self.server.token.encode())
        if self.headers.get("Host") in names and own and right:
            return rest[0]
        self._json(403, {"error": "take the address that the command printed"})
        return None

    def _json(self, status: int, value: Any) -> None:
        data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        self._answer(status, data, "application/json; charset=utf-8")

    def _answer(self, status: int, data: bytes, kind: str, nonce: str = "") -> None:
        only = f"'nonce-{nonce}'" if nonce else "'none'"
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": f"default-src 'none'; script-src {only}; style-src {only}; "
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the lines would hold the token."""
