"""A loopback stand-in for the Gemini Developer API, spoken to by the real google-genai client.

It answers generate, files and batches on 127.0.0.1, deterministically: the summary is the first
words of the document. It refuses requests that are not as they must be, counts everything, bills
what it answers, and fails as told by `faults`.
"""

import json
import re
import socket
import struct
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

KEY = "AIzaFakeFakeFakeFakeFakeFakeFakeFakeFa1"
MODELS = ("gemini-3.5-flash-lite", "gemini-3.1-flash-lite")
FORBIDDEN = {"temperature", "topP", "topK", "candidateCount", "responseJsonSchema"}

Faults = Callable[[str, int], str | None]
"""From a document's text and the number of the try (from 1): how the call fails, None if not."""


class FakeGemini:
    """The server and what it has seen. Use as a context manager; `url` is its address.

    Attributes:
        faults: how calls fail; for batch jobs, how their lines do.
        quota: calls in a window and its length in seconds, if there is one.
        latency: seconds before an answer.
        hold_after: number of answers after which further calls are left hanging.
        job_polls: looks at a batch job before it is finished.
        job_end: state in which a batch job ends, without JOB_STATE_.
        job_fault: `lost_create`, `slow_create`, `refused_create`, `one_at_a_time`, `swapped`,
            `missing`, `broken_line` or `dropped_download`.
        spoil_line: what becomes of a line of a batch job's results.
        calls: generate calls that came in; refused: those that were answered 429.
        billed: documents by how often they were answered and billed.
        violations: requests that were not as they must be.
    """

    def __init__(self, faults: Faults = lambda text, turn: None) -> None:
        self.faults = faults
        self.key = KEY
        self.quota: tuple[int, float] | None = None
        self.latency = 0.0
        self.hold_after: int | None = None
        self.job_polls = 1
        self.job_end = "SUCCEEDED"
        self.job_fault: str | None = None
        self.spoil_line: Callable[[dict[str, Any]], Any] = lambda line: line
        self.passed = self.calls = self.refused = self.under_way = self.most_under_way = 0
        self.billed: Counter[str] = Counter()
        self.tokens_in = self.tokens_out = 0
        self.tries: Counter[str] = Counter()
        self.tiers: Counter[str] = Counter()
        self.violations: list[str] = []
        self.sent: list[str] = []
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.created = 0
        self.lock = threading.RLock()
        self.released = threading.Event()
        self._window: tuple[float, int] = (0.0, 0)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def over_quota(self) -> float | None:
        """Seconds until the next window if this call is one too many."""
        if self.quota is None:
            return None
        limit, length = self.quota
        with self.lock:
            now = time.monotonic()
            start, count = self._window
            if now - start >= length:
                start, count = now, 0
            if count >= limit:
                self.refused += 1
                return start + length - now
            self._window = (start, count + 1)
        return None

    def running(self) -> int:
        """Batch jobs that have not ended."""
        return sum(job["state"] == "RUNNING" for job in self.jobs.values())

    def check(self, request: dict[str, Any]) -> tuple[str, str] | str:
        """The document and the reference of a request; a string says what is wrong with it."""
        config = request.get("generationConfig", {})
        system = "".join(p["text"] for p in request.get("systemInstruction", {}).get("parts", []))
        message = "".join(p["text"] for c in request["contents"] for p in c["parts"])
        fence = re.search(r"=== [0-9a-f]{24} ===", system)
        reference = re.search(r"`reference` is exactly ([0-9a-f]+)", system)
        if wrong := (FORBIDDEN & set(config)) | ({"tools"} & set(request)):
            return f"must not be sent: {wrong}"
        if config.get("responseMimeType") != "application/json" or "responseSchema" not in config:
            return "no response schema"
        if "maxOutputTokens" not in config:
            return "no bound on the answer"
        if fence is None or reference is None:
            return "no delimiters or no reference in the system instruction"
        lines = message.split("\n")
        if lines[0] != fence.group() or lines[-1] != fence.group():
            return "the document is not between the delimiters"
        return "\n".join(lines[1:-1]), reference.group(1)

    def answer(self, request: dict[str, Any], fault: str | None, model: str) -> dict[str, Any]:
        """A GenerateContentResponse for a checked request, billed."""
        checked = self.check(request)
        assert not isinstance(checked, str)
        text, reference = checked
        code = re.search(r"ISO 639 code\s+of the summary's language \((\w+)\)", json_text(request))
        fields = {
            "reference": reference,
            "language": code.group(1) if code else "es",
            "summary": " ".join(text.split()[:8]),
        }
        body = json.dumps(_spoil(fields, fault))
        if fault == "cut_answer":
            body = body[: len(body) // 2]
        usage = {
            "promptTokenCount": len(json_text(request)) // 4,
            "candidatesTokenCount": len(body) // 4,
            "thoughtsTokenCount": 9_000 if fault == "overbilled" else 11,
        }
        response: dict[str, Any] = {
            "candidates": [{"content": {"parts": [{"text": body}]}, "finishReason": "STOP"}],
            "usageMetadata": usage,
            "modelVersion": f"{model}-001",
        }
        if fault in ("SAFETY", "RECITATION", "BLOCKLIST", "MAX_TOKENS"):
            response["candidates"] = [{"finishReason": fault}]
        elif fault == "blocked":
            del response["candidates"]
            usage.update(candidatesTokenCount=0, thoughtsTokenCount=0)
            response["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
        elif fault == "empty":
            response = {}
        with self.lock:
            self.billed[text] += 1
            self.tokens_in += usage["promptTokenCount"]
            self.tokens_out += usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
        return response

    def run_job(self, job: dict[str, Any]) -> None:
        """Answers the requests of a batch job into a results file, last request first."""
        lines = []
        requests = [json.loads(line) for line in self.files[job["input"]].splitlines()]
        for line in requests:
            checked = self.check(line["request"])
            if isinstance(checked, str):
                self.violations.append(checked)
                continue
            with self.lock:
                self.sent.append(checked[0])
                self.tries[checked[0]] += 1
            fault = self.faults(checked[0], self.tries[checked[0]])
            if fault in ("500", "503"):
                error = {"code": int(fault), "message": "internal"}
                lines.append({"key": line["key"], "error": error})
            else:
                answer = self.answer(line["request"], fault, job["model"])
                lines.append({"key": line["key"], "response": answer})
        if self.job_fault == "swapped":
            a, b = lines[0], lines[1]
            a["key"], b["key"] = b["key"], a["key"]
        if self.job_fault == "missing":
            lines = lines[1:]
        texts = [json.dumps(self.spoil_line(line)) for line in reversed(lines)]
        if self.job_fault == "broken_line":
            texts[0] = texts[0][:20]
        job["output"] = f"files/results-{job['id']}"
        self.files[job["output"]] = ("\n".join(texts) + "\n").encode()


def json_text(request: dict[str, Any]) -> str:
    """All text of a request."""
    parts = [*request.get("systemInstruction", {}).get("parts", [])]
    parts += [part for content in request["contents"] for part in content["parts"]]
    return "\n".join(part["text"] for part in parts)


def _spoil(fields: dict[str, str], fault: str | None) -> dict[str, Any]:
    if fault == "schema":
        return {"resumen": fields["summary"]}
    if fault == "wrong_reference":
        return fields | {"reference": "0000000000000000"}
    if fault == "wrong_language":
        return fields | {"language": "xx"}
    if fault == "markup":
        text = fields["summary"]
        link = "[aquí](https://evil.example/x?d=1)"
        return fields | {"summary": f"**{text}** <img src=x> {link} https://evil.example/y"}
    return dict(fields)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    fake: FakeGemini

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed or give up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def fake(self) -> FakeGemini:
        return self.server.fake

    def do_POST(self) -> None:
        self._serve("POST")

    def do_GET(self) -> None:
        self._serve("GET")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = urllib.parse.urlsplit(self.path).path
        try:
            if self.headers.get("x-goog-api-key") != self.fake.key and "/put/" not in path:
                self._refuse(400, "INVALID_ARGUMENT", _key_is_wrong(self.headers))
            else:
                self._route(method, path, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, method: str, path: str, body: bytes) -> None:
        generate = re.fullmatch(r"/v1/models/([^:]+):(generateContent|batchGenerateContent)", path)
        if generate and generate.group(1) not in MODELS:
            message = f"models/{generate.group(1)} is not found for API version v1"
            self._refuse(404, "NOT_FOUND", {"message": message})
        elif generate and generate.group(2) == "generateContent":
            self._generate(json.loads(body), generate.group(1))
        elif generate:
            self._create_job(json.loads(body)["batch"], generate.group(1))
        elif path == "/upload/v1/files":
            name = json.loads(body)["file"]["name"]
            url = f"{self.fake.url}/put/{name}"
            self._reply({}, headers={"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})
        elif path.startswith("/put/"):
            name = path.removeprefix("/put/")
            self.fake.files[name] = self.fake.files.get(name, b"") + body
            final = "finalize" in self.headers["X-Goog-Upload-Command"]
            status = "final" if final else "active"
            self._reply({"file": {"name": name}}, headers={"X-Goog-Upload-Status": status})
        elif path.startswith("/v1/files/"):
            self._file(method, path.removeprefix("/v1/"))
        elif path.startswith("/v1/batches"):
            self._batch(method, path.removeprefix("/v1/"))
        else:
            self._refuse(404, "NOT_FOUND", {"message": path})

    def _generate(self, request: dict[str, Any], model: str) -> None:
        fake = self.fake
        checked = fake.check(request)
        if isinstance(checked, str):
            fake.violations.append(checked)
            self._refuse(400, "INVALID_ARGUMENT", {"message": checked})
            return
        text = checked[0]
        with fake.lock:
            fake.calls += 1
            fake.sent.append(text)
            fake.tiers[str(request.get("serviceTier"))] += 1
            fake.under_way += 1
            fake.most_under_way = max(fake.most_under_way, fake.under_way)
        try:
            wait = fake.over_quota()
            if wait is not None:
                self._refuse(429, "RESOURCE_EXHAUSTED", _retry_info(wait))
                return
            with fake.lock:
                fake.tries[text] += 1
                fault = fake.faults(text, fake.tries[text])
            if self._fail(fault):
                return
            with fake.lock:
                held = fake.hold_after is not None and fake.passed >= fake.hold_after
                fake.passed += not held
            if held:
                fake.released.wait()
                self.close_connection = True
                return
            time.sleep(fake.latency)
            answer = fake.answer(request, fault, model)
        finally:
            with fake.lock:
                fake.under_way -= 1
        if fault == "drop":
            self._drop()
        elif fault == "slow":
            fake.released.wait(60)
            self.close_connection = True
        elif fault == "bad_json":
            self._send(200, json.dumps(answer).encode()[:40])
        else:
            self._reply(answer)

    def _fail(self, fault: str | None) -> bool:
        errors: dict[str, tuple[int, str, dict[str, Any], dict[str, str]]] = {
            "429": (429, "RESOURCE_EXHAUSTED", _retry_info(0.2), {}),
            "429_header": (429, "RESOURCE_EXHAUSTED", {}, {"Retry-After": "1"}),
            "429_bare": (429, "RESOURCE_EXHAUSTED", {}, {}),
            "429_daily": (429, "RESOURCE_EXHAUSTED", _daily(), {}),
            "400": (400, "INVALID_ARGUMENT", {"message": f"bad: {self.fake.sent[-1]}"}, {}),
            "403": (403, "PERMISSION_DENIED", _suspended(self.headers), {}),
            "500": (500, "INTERNAL", {"message": f"failed on {self.fake.sent[-1]}"}, {}),
            "503": (503, "UNAVAILABLE", {"message": "The model is overloaded."}, {}),
            "504": (504, "DEADLINE_EXCEEDED", {"message": "Deadline expired."}, {}),
        }
        if fault not in errors:
            return False
        code, status, extra, headers = errors[fault]
        self._refuse(code, status, extra, headers)
        return True

    def _create_job(self, batch: dict[str, Any], model: str) -> None:
        fake = self.fake
        if fake.job_fault == "refused_create":
            fake.job_fault = None
            self._refuse(503, "UNAVAILABLE", {})
            return
        if fake.job_fault == "one_at_a_time" and fake.running():
            self._refuse(429, "RESOURCE_EXHAUSTED", _retry_info(0.05))
            return
        with fake.lock:
            fake.created += 1
            name = f"batches/job{fake.created}"
            fake.jobs[name] = {
                "id": f"job{fake.created}",
                "name": name,
                "display": batch["displayName"],
                "model": model,
                "input": batch["inputConfig"]["fileName"],
                "state": "RUNNING",
                "polls": 0,
                "output": None,
            }
        if fake.job_fault == "lost_create":
            fake.job_fault = None
            self._drop()
        elif fake.job_fault == "slow_create":
            fake.released.wait(60)
            self.close_connection = True
        else:
            self._reply(_job_view(fake.jobs[name]))

    def _batch(self, method: str, name: str) -> None:
        fake = self.fake
        if name == "batches":
            self._reply({"operations": [_job_view(job) for job in fake.jobs.values()]})
            return
        job = fake.jobs.get(name.removesuffix(":cancel"))
        if job is None:
            self._refuse(404, "NOT_FOUND", {"message": name})
        elif name.endswith(":cancel"):
            job["state"] = "CANCELLED"
            self._reply({})
        elif method == "DELETE":
            del fake.jobs[name]
            self._reply({})
        else:
            with fake.lock:
                job["polls"] += 1
                if job["state"] == "RUNNING" and job["polls"] >= fake.job_polls:
                    job["state"] = fake.job_end
                    if fake.job_end in ("SUCCEEDED", "PARTIALLY_SUCCEEDED"):
                        fake.run_job(job)
            self._reply(_job_view(job))

    def _file(self, method: str, name: str) -> None:
        fake = self.fake
        content = fake.files.get(name.removesuffix(":download"))
        if content is None:
            self._refuse(404, "NOT_FOUND", {"message": name})
        elif method == "DELETE":
            del fake.files[name]
            self._reply({})
        elif fake.job_fault == "dropped_download":
            fake.job_fault = None
            self._drop()
        else:
            self._send(200, content)

    def _refuse(
        self, code: int, status: str, extra: dict[str, Any], headers: dict[str, str] | None = None
    ) -> None:
        error = {"code": code, "message": status, "status": status} | extra
        self._send(code, json.dumps({"error": error}).encode(), headers)

    def _reply(self, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), headers)

    def _send(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _drop(self) -> None:
        """Breaks the connection without an answer."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.shutdown(socket.SHUT_RDWR)


def _job_view(job: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "displayName": job["display"],
        "state": f"BATCH_STATE_{job['state']}",
        "model": f"models/{job['model']}",
    }
    if job["output"]:
        metadata["output"] = {"responsesFile": job["output"]}
    return {"name": job["name"], "metadata": metadata}


def _retry_info(seconds: float) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    return {"details": [{"@type": kind, "retryDelay": f"{seconds:.3f}s"}]}


def _daily() -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.QuotaFailure"
    quota = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
    return {"details": [{"@type": kind, "violations": [{"quotaId": quota}]}]}


def _key_is_wrong(headers: Any) -> dict[str, Any]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {
        "message": "API key not valid. Please pass a valid API key.",
        "details": [{"@type": kind, "reason": "API_KEY_INVALID"}],
    }


def _suspended(headers: Any) -> dict[str, Any]:
    key = headers.get("x-goog-api-key")
    return {"message": f"Permission denied: Consumer 'api_key:{key}' has been suspended."}
