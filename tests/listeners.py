"""Servers on this machine that listen to what is sent: web hooks, a TLS proxy, a mail server."""

import base64
import datetime
import email
import email.policy
import http.server
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Heard:
    """What a server was sent: paths and bodies of requests, or mails and who logged in."""

    port: int = 0
    host: str | None = None
    requests: list[tuple[str, Any]] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)


def _hook(heard: Heard, status: int) -> type[http.server.BaseHTTPRequestHandler]:
    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.requests.append((self.path, json.loads(body)))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments: object) -> None:
            pass

    return Hook


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def web_hook(status: int = 200) -> Iterator[Heard]:
    """A web server that answers every POST with a status."""
    heard = Heard()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _hook(heard, status))
    with _serving(server) as heard.port:
        yield heard


@contextmanager
def tls_proxy(host: str, folder: Path) -> Iterator[tuple[Heard, Path]]:
    """A proxy that answers in the place of an https host.

    Yields what it hears and the certificate that a client must trust.
    """
    heard = Heard()
    certificate = _certificate(host, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    class Proxy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            heard.host = self.rfile.readline().split()[1].decode()
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(self.connection, server_side=True) as inside:
                _hook(heard, 200)(inside, self.client_address, self.server)

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy)) as heard.port:
        yield heard, certificate


@contextmanager
def mail_server() -> Iterator[Heard]:
    """A mail server that takes every mail and notes who logged in."""
    heard = Heard()

    class Smtp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            for line in self.rfile:
                word, _, rest = line.decode().strip().partition(" ")
                if word.upper() == "EHLO":
                    self._say("250-here\r\n250 AUTH PLAIN")
                elif word.upper() == "AUTH":
                    heard.logins.append(base64.b64decode(rest.split()[-1]).decode())
                    self._say("235 welcome")
                elif word.upper() == "DATA":
                    self._say("354 go on")
                    self._take_mail()
                    self._say("250 taken")
                elif word.upper() == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 fine")

        def _take_mail(self) -> None:
            lines = iter(self.rfile.readline, b".\r\n")
            content = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            assert isinstance(content, EmailMessage)
            heard.mails.append(content)

        def _say(self, line: str) -> None:
            self.wfile.write(line.encode() + b"\r\n")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Smtp)) as heard.port:
        yield heard


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes connections and never says a word; yields its port."""
    with socketserver.socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _certificate(host: str, folder: Path) -> Path:
    """A key and a certificate of its own making, for a host, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
