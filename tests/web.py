"""A web server on this machine that gives files to those who have user and signature."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD, SIGNATURE = "ana", "clave-7781", "firma/99+34"
SECRETS = (PASSWORD, SIGNATURE, "firma%2F99%2B34", "AK-5512")
_QUERY = "?X-Amz-Credential=AK-5512&X-Amz-Signature=firma%2F99%2B34"


@dataclass
class Web:
    """What is served, and what became of each request."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[tuple[str, int]] = field(default_factory=list)
    also: str = SIGNATURE
    """A further signature that holds, such as tomorrow's."""

    def address(self, name: str, user: str = f"{USER}:{PASSWORD}@", query: str = _QUERY) -> str:
        return f"http://{user}127.0.0.1:{self.port}/{name}{query}"

    def shown(self, name: str) -> str:
        return self.address(name, "", "")


@contextmanager
def web_server() -> Iterator[Web]:
    """`/503/x` answers so; `/cut/x` sends half of x; `/to/x` sends on to x, signed anew."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            name = asked.path.removeprefix("/")
            status, headers, data = self.answer(name, parse_qs(asked.query))
            web.answers.append((name, status))
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2] if name.startswith("cut/") else data)

        def answer(self, name: str, query: dict) -> tuple[int, dict, bytes]:
            how, _, rest = name.rpartition("/")
            if how == "to":
                return 302, {"Location": web.address(rest)}, b""
            if how.isdigit():
                return int(how), {}, b"nada"
            basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            signed = query.get("X-Amz-Signature", [""])[0] in (SIGNATURE, web.also)
            if self.headers["Authorization"] != f"Basic {basic}" or not signed:
                return 403, {}, f"no {self.path}".encode()
            if rest not in web.files:
                return 404, {}, b""
            return 200, {}, web.files[rest]

        def log_message(self, *rest: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(server.server_port)
    Thread(target=server.serve_forever, daemon=True).start()
    yield web
    server.shutdown()
    server.server_close()
