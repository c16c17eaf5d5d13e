"""The labelling page: what it answers to whom, what it saves, and how it is in a browser."""

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from nocturna.gold_server import GoldServer
from nocturna.tasks.corpus.gold_sample import read_sample
from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.gold_answers import Answers
from nocturna.tasks.reading.gold_drawing import draw
from nocturna.tasks.reading.gold_sheet import write_gold_file
from nocturna.tasks.reading.views import view_of
from tests.browser import WRONG, browser, chromium, colours, contrast, luminance
from tests.reading.kept_texts import IDS, publish_texts

HOSTILE = '=<script>document.title = "taken"</script>'


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return publish_texts(tmp_path_factory.mktemp("gold") / "out", IDS[:30]).root


@pytest.fixture
def path(out, tmp_path):
    """Six documents to be labelled, the first of which looks like code."""
    sample, rows = draw(view_of(out), 6, "topic")
    rows[0] = type(rows[0])(rows[0].doc_id, HOSTILE)
    write_gold_file(tmp_path / "gold.csv", sample, rows)
    return tmp_path / "gold.csv"


def answers_of(path) -> Answers:
    return Answers(path, read_sample(str(path)))


@contextmanager
def serving(path):
    """The page of a file, as the command serves it."""
    with GoldServer(answers_of(path), "topic") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def asked_for(url, answer=None, **headers):
    """Status, body and headers of a request."""
    data = None if answer is None else json.dumps(answer).encode()
    kind = {"Content-Type": "application/json"} if answer is not None else {}
    request = urllib.request.Request(url, data, {**kind, **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as found:
            return found.status, found.read().decode(), found.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def labels_in(path) -> list[str]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).label.tolist()


def test_an_answer_is_in_the_file_at_once_and_can_be_taken_back(path):
    with serving(path) as server:
        url = server.address
        found = json.loads(asked_for(f"{url}rows")[1])
        assert found["labels"] == ["política", "computación e IA"]
        assert found["rows"][0] == {"text": HOSTILE, "label": ""} and len(found["rows"]) == 6
        for row, label in ((0, "política"), (3, "?"), (5, "computación e IA")):
            assert asked_for(f"{url}label", {"row": row, "label": label})[0] == 200
        assert labels_in(path) == ["política", "", "", "?", "", "computación e IA"]
        asked_for(f"{url}label", {"row": 0, "label": ""})
        assert labels_in(path)[0] == ""
    assert path.read_text("utf-8-sig").count("'=<script>") == 1, "still no formula"
    assert answers_of(path).done == 2, "and it is gone on with"


def test_nobody_else_is_answered(path):
    with serving(path) as server:
        url, port = server.address, server.server_port
        for strange in (
            asked_for(f"http://127.0.0.1:{port}/"),
            asked_for(f"http://127.0.0.1:{port}/{'x' * 32}/rows"),
            asked_for(url, Host="evil.example"),
            asked_for(url, Host=f"evil.example:{port}"),
            asked_for(f"{url}label", {"row": 0, "label": "?"}, Origin="http://evil.example"),
        ):
            assert strange[0] == 403 and "take the address" in strange[1]
        assert asked_for(f"{url}else")[0] == 404
        for wrong in (["row"], {"row": "0", "label": "?"}, {"row": True, "label": "?"}, {}):
            assert asked_for(f"{url}label", wrong)[0] == 400
        plain = {"Content-Type": "text/plain"}
        assert asked_for(f"{url}label", {"row": 0, "label": "?"}, **plain)[0] == 400
        for odd in ({"row": 6, "label": "?"}, {"row": -1, "label": "?"}, {"row": 0, "label": "x"}):
            assert asked_for(f"{url}label", odd)[0] == 409
        policy = asked_for(url)[2]["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
    assert labels_in(path) == [""] * 6


def test_what_another_program_wrote_is_not_written_over(path):
    with serving(path) as server:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.assign(note="mine").to_csv(path, index=False, sep=";")
        status, said, _ = asked_for(f"{server.address}label", {"row": 0, "label": "?"})
        assert status == 409 and "another program has changed it" in said
    with serving(path) as server:
        assert asked_for(f"{server.address}label", {"row": 0, "label": "?"})[0] == 200
    again = pd.read_csv(path, dtype=str, keep_default_na=False, sep=";")
    assert again.note.tolist() == ["mine"] * 6 and again.label.tolist() == ["?"] + [""] * 5


def test_a_file_that_is_none_is_one_line(path):
    sample = read_sample(str(path))
    for content in (b"doc_id,label\na,\n", b"\xff\xfe", b""):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"gold\.csv: "):
            Answers(path, sample)


def test_the_command_ends_with_ctrl_c_and_goes_on(out, tmp_path):
    asked = [Path(sys.executable).with_name("nocturna"), "gold", out, "--score", "topic", "-n", "6"]
    for done in (1, 2):
        process = subprocess.Popen(
            [*asked, "--page"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(5 if done == 1 else 3)]
        assert f"prensa-topic.csv: {done - 1} of 6 are labelled\n" in lines
        url = lines[-1].removeprefix("open ").strip()
        status, said, _ = asked_for(f"{url}label", {"row": done - 1, "label": "política"})
        assert (status, json.loads(said)) == (200, {"done": done})
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 130 and b"go on where it stopped" in rest
    assert labels_in(tmp_path / "prensa-topic.csv")[:3] == ["política", "política", ""]


@pytest.mark.skipif(chromium() is None, reason="needs Chromium, which is not installed")
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark"), (320, "light")])
def test_the_page_in_a_browser(path, tmp_path, width, scheme):
    with serving(path) as server, browser(tmp_path / "profile") as shown:
        for domain in ("Log", "Runtime", "Network", "Page"):
            shown.call(f"{domain}.enable")
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        shown.call("Emulation.setDeviceMetricsOverride", **size)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        shown.call("Emulation.setEmulatedMedia", features=media)
        shown.open(server.address)
        text = shown.wait_for("Text 1 of 6", "0 of 6 are labelled", "computación e IA")
        assert HOSTILE in text and shown.run("document.title") == "topic: labels"
        assert shown.run("document.documentElement.scrollWidth") <= width
        pairs = colours(shown, ["body", "#text", "button", "kbd", ".soft", "footer", "h2"])
        assert all(contrast(ink, ground) >= 4.5 for _, ink, ground in pairs)
        assert (luminance(pairs[0][2]) < 0.2) == (scheme == "dark")
        key(shown, "2")
        shown.wait_for("Text 2 of 6", "1 of 6 are labelled")
        key(shown, "?")
        shown.wait_for("Text 3 of 6", "2 of 6")
        key(shown, "ArrowLeft")
        shown.wait_for("Text 2 of 6")
        key(shown, "Delete")
        shown.wait_for("1 of 6 are labelled")
        shown.run("document.querySelector('[data-label=política]').click()")
        shown.wait_for("Text 3 of 6", "2 of 6")
        assert labels_in(path)[:3] == ["computación e IA", "política", ""]
        said = [event for event in shown.events if event["method"] in WRONG]
        urls = [e["params"]["request"]["url"] for e in shown.events if e["method"] == ASKED]
    assert not said
    assert all(url.startswith(server.address) or url == "data:," for url in urls), urls


ASKED = "Network.requestWillBeSent"


def key(shown, name: str) -> None:
    """A key that a person presses."""
    text = {"text": name} if len(name) == 1 else {}
    shown.call("Input.dispatchKeyEvent", type="keyDown", key=name, **text)
    shown.call("Input.dispatchKeyEvent", type="keyUp", key=name)
