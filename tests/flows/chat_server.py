"""A server on this machine that summarises by the chat completions API: the first three words."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

KEY = "clave-chat-4471"


@dataclass
class Chat:
    """Where it is, and the documents that it was asked about."""

    url: str
    asked: list[str] = field(default_factory=list)


def first_words(text: str) -> str:
    return " ".join(text.split()[:3])


@contextmanager
def chat_server() -> Iterator[Chat]:
    """Answers those who have the key, with the reference and language that it is told to give."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            system, user = (message["content"] for message in asked["messages"])
            status = 200 if self.headers["Authorization"] == f"Bearer {KEY}" else 401
            document = "\n".join(user.splitlines()[1:-1])
            chat.asked.append(document)
            reference, language = re.search(
                r"`reference` is exactly (\w+), `language` .*? \((\w+)\)", system, re.DOTALL
            ).groups()
            said = {"summary": first_words(document), "language": language, "reference": reference}
            answer = {
                "model": asked["model"],
                "choices": [
                    {
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": json.dumps(said)},
                    }
                ],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10},
            }
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    chat = Chat(f"http://127.0.0.1:{server.server_address[1]}/v1/chat/completions")
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield chat
    finally:
        server.shutdown()
        server.server_close()
