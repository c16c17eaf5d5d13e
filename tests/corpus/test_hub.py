import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus.corpora import compressed, jsonl, parquet
from tests.fake_hub import Repo, fake_hub

OLD, NEW, ODD = "a" * 40, "b" * 40, "c" * 40
README = b"""---
configs:
- config_name: opiniones
  default: true
  data_files:
  - split: train
    path: datos/train-*
  - split: test
    path: datos/test.jsonl
- config_name: otra
  data_files: otra/*.parquet
- config_name: fotos
  data_files: fotos/*.png
---
"""
COMMITS = {
    OLD: {
        "README.md": README,
        "datos/train-0.jsonl": jsonl([{"text": "uno"}, {"text": "2024-01-01"}]),
        "datos/train-1.jsonl.gz": compressed(jsonl([{"text": "tres"}]), ".gz"),
        "datos/test.jsonl": jsonl([{"text": "NA"}]),
        "otra/0.parquet": parquet([{"text": f"{i}"} for i in range(100)], 30),
        "fotos/1.png": b"\x89PNG",
    },
    ODD: {
        "README.md": b'---\nconfigs:\n- config_name: x\n  data_files: x.csv\n  sep: ";"\n---\n',
        "x.csv": b"id;text\n1;a\n",
    },
    NEW: {"datos/train-0.jsonl": jsonl([{"text": "nuevo"}])},
}
BRANCHES = {"main": OLD, "v2": NEW, "raro": ODD, "refs/pr/1": NEW}

READ = """
import json, sys
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.job.job import Source
from tests.corpus.corpora import inputs_of, read_all, texts
for values in json.loads(sys.argv[1]):
    source = Source(**values)
    try:
        inputs = [[i.uri, i.format, i.compression, i.fingerprint] for i in inputs_of(source)]
        answer = {"inputs": inputs, "texts": texts(read_all(source, 40)[0])}
    except NocturnaError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    print("answer", json.dumps(answer))
"""
COSAS = {"dataset": "org/cosas"}
READABLE = [
    (COSAS, ["uno", "2024-01-01", "tres"], OLD),
    ({**COSAS, "split": "test"}, ["NA"], OLD),
    ({**COSAS, "config": "otra"}, [f"{i}" for i in range(100)], OLD),
    ({**COSAS, "revision": "v2"}, ["nuevo"], NEW),
    ({**COSAS, "revision": NEW}, ["nuevo"], NEW),
    ({"path": "hf://datasets/org/cosas/datos/train-0.jsonl"}, ["uno", "2024-01-01"], OLD),
    ({"path": "hf://datasets/org/cosas@v2/datos"}, ["nuevo"], NEW),
    ({"path": "hf://datasets/org/cosas@refs/pr/1/datos/*.jsonl"}, ["nuevo"], NEW),
]
REFUSED = [
    ({"dataset": "org/nada"}, r"data set org/nada: not found"),
    ({**COSAS, "revision": "v9"}, r"data set org/cosas: no revision 'v9'"),
    ({**COSAS, "split": "dev"}, r"no split 'dev'; the splits are train, test"),
    ({**COSAS, "config": "nada"}, r"org/cosas: .*'nada' not found.*opiniones"),
    ({**COSAS, "config": "fotos"}, r"its format \(1\.png\) is not read here"),
    ({**COSAS, "revision": "raro"}, r"its README sets sep to ';', which is not"),
    ({"dataset": "una cosa/rara"}, r"data set una cosa/rara: not a name of the Hub"),
    ({"path": "hf://datasets/org/nada/x.csv"}, r"data set org/nada: not found"),
]


def ask(folder, sources, **environment):
    """What a fresh process reads from the loopback Hub, and the requests that it made."""
    with fake_hub({"datasets/org/cosas": Repo(BRANCHES, COMMITS)}) as (endpoint, seen):
        hub = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder), "HF_HUB_DISABLE_TELEMETRY": "1"}
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        done = subprocess.run(
            [sys.executable, "-c", READ, json.dumps(sources)],
            check=False,
            env={**plain, **hub, **environment},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("answer ")]
    return [json.loads(line.removeprefix("answer ")) for line in lines], seen


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    sources = [values for values, *_ in [*READABLE, *REFUSED]]
    answers, seen = ask(tmp_path_factory.mktemp("hub"), sources)
    return {json.dumps(s): answer for s, answer in zip(sources, answers, strict=True)}, seen


@pytest.mark.parametrize(("values", "texts", "commit"), READABLE)
def test_a_branch_becomes_a_commit_and_its_files_are_read_with_our_readers(
    asked, values, texts, commit
):
    found = asked[0][json.dumps(values)]
    assert found.get("texts") == texts, found
    for uri, *_, fingerprint in found["inputs"]:
        assert uri.startswith(f"hf://datasets/org/cosas@{commit}/")
        assert fingerprint.startswith("etag:")


def test_only_commits_are_read(asked):
    files = [line for line in asked[1] if "/resolve/" in line]
    assert files
    assert all(re.search("/resolve/[abc]{40}/", line) for line in files)


def test_compressed_files_of_a_data_set_keep_their_format(asked):
    formats = [row[1:3] for row in asked[0][json.dumps(COSAS)]["inputs"]]
    assert formats == [["jsonl", None], ["jsonl", "gzip"]]


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_what_cannot_be_read_is_one_line(asked, values, message):
    found = asked[0][json.dumps(values)]
    assert found.get("kind") == "UsageError", found
    assert re.search(message, found["error"]), found["error"]
    assert "\n" not in found["error"]


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"])
def test_either_offline_switch_keeps_us_offline(tmp_path, variable):
    sources = [COSAS, {"path": "hf://datasets/org/cosas/datos"}]
    answers, seen = ask(tmp_path, sources, **{variable: "1"})
    for found in answers:
        assert f"{variable} is set, and `nocturna fetch` has not fetched it" in found["error"]
    assert seen == []


def test_a_hub_that_is_not_there_may_pass(tmp_path):
    sources = [COSAS, {"path": "hf://datasets/org/cosas/datos"}]
    answers, _ = ask(tmp_path, sources, HF_ENDPOINT="http://127.0.0.1:9")
    for found in answers:
        assert found["kind"] == "Transient"
        assert "data set org/cosas: the Hub does not answer" in found["error"]
