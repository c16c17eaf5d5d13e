"""What an operator sees on the engine's page, in a real browser."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from nocturna.engine import start_engine
from tests.browser import browser, chromium
from tests.models import TEXTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium, which is not installed"),
]

ROOT = Path(__file__).parents[2]
BODY = "Nadie debe leer esto"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    started = start_engine(folder / "home", folder / "engine.log", ui=True, services=True)
    assert started.wait(120) is None
    yield started
    started.stop()


@pytest.fixture(scope="module")
def nights(engine, small_models, tmp_path_factory) -> Path:
    """Two nights of a job that were recorded by the engine, and the job as a deployment."""
    folder = tmp_path_factory.mktemp("nights")
    job = {
        "name": "prensa",
        "source": {"path": str(folder / "prensa.jsonl"), "id": "id"},
        "scores": {"sentiment": {"model": str(small_models["sentiment"])}},
        "output": {"dir": str(folder / "out")},
        "quality": {"max_quarantined": 0.5, "warn_only": ["max_failed"], "max_failed": 0.01},
    }
    (folder / "prensa.yaml").write_text(json.dumps(job), encoding="utf-8")
    environment = {**os.environ, **engine.environment(), "PREFECT_HOME": str(folder / "home")}
    for documents in (20, 30):
        rows = [{"id": str(i), "text": f"{BODY} {i}. {TEXTS[i % 5]}"} for i in range(documents)]
        rows += [{"id": f"empty-{documents}", "text": ""}]
        lines = [json.dumps(row) for row in rows] + [BODY]
        (folder / "prensa.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [Path(sys.executable).with_name("nocturna"), "score", "--job", "prensa.yaml"]
        subprocess.run(command, cwd=folder, env=environment, check=True)
    deploy = (
        "import json, sys; from tests.flows.test_page import served_flow; "
        "served_flow().to_deployment('prensa', parameters={'job': json.load(open(sys.argv[1]))})"
        ".apply()"
    )
    subprocess.run(
        [sys.executable, "-c", deploy, folder / "prensa.yaml"],
        cwd=ROOT,
        env=environment,
        check=True,
    )
    return folder


def served_flow():
    """The flow that `nocturna serve` runs, by where `prefect.yaml` says that it is."""
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    file, _, name = described["deployments"][0]["entrypoint"].partition(":")
    return getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)


def test_a_run_its_figures_and_its_form_can_be_seen(engine, nights, tmp_path):
    base = engine.url.removesuffix("/api")
    runs = sorted((nights / "out" / "prensa" / "runs").iterdir())
    seen = []
    with browser(tmp_path / "profile") as page:
        page.open(f"{base}/login")
        page.wait_for("Login")
        page.run(f"localStorage.setItem('prefect-password', btoa({engine.auth!r}))")
        page.open(f"{base}/runs")
        date = f"{runs[-1].name[:4]}-{runs[-1].name[4:6]}"
        seen.append(page.wait_for("score-corpus", f"prensa {date}", "Completed", "2 runs"))
        page.open(f"{base}/artifacts")
        seen.append(page.wait_for("nocturna-prensa", "nocturna-prensa-notes", runs[-1].name))
        for kind, words in {
            "table": ("figure", "tonight", "before", "change", "sentiment NEG", "points", "+10"),
            "markdown": ("prensa: snapshot 2", "warning", "results", f"runs show {runs[-1].name}"),
            "progress": ("all 11 documents",),
        }.items():
            page.open(f"{base}/artifacts/artifact/{newest(page, kind)}")
            seen.append(page.wait_for(*words))
        deployment = ask(page, "/deployments/filter", {})[0]["id"]
        page.open(f"{base}/deployments/deployment/{deployment}/run")
        words = ("Column that identifies a document", "Who is told how a run ended", "Submit")
        seen.append(page.wait_for(*words, "Largest share of rows that could not be read"))
    assert not [text for text in seen if BODY in text]
    database = b"".join(path.read_bytes() for path in Path(engine.log).parent.glob("home/*.db*"))
    assert b"prensa" in database and BODY.encode() not in database


def ask(page, path: str, body: dict):
    """What the engine's API answers to the page itself."""
    script = (
        f"fetch('/api{path}', {{method: 'POST', body: {json.dumps(json.dumps(body))}, headers: "
        "{'Content-Type': 'application/json', 'Authorization': 'Basic ' + "
        "localStorage.getItem('prefect-password')}}).then(answer => answer.text())"
    )
    result = page.call("Runtime.evaluate", expression=script, awaitPromise=True)
    return json.loads(result["result"]["value"])


def newest(page, kind: str) -> str:
    found = ask(page, "/artifacts/filter", {"sort": "CREATED_DESC"})
    return next(artifact["id"] for artifact in found if artifact["type"] == kind)
