"""What is wrong with a job is said within a second of CPU, before anything heavy is imported."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import SLOWED
from tests.flows.spent import command

LIMIT = 1.0 * SLOWED
"""CPU seconds."""

TEXTS = ["Me encanta este curso.", "Odio este producto.", "El pleno aprobó los presupuestos."]


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Path:
    """A folder with a corpus in three formats, wrong job files and broken models."""
    room = tmp_path_factory.mktemp("room")
    rows = [{"id": f"d{i}", "text": text} for i, text in enumerate(TEXTS)]
    (room / "textos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (room / "textos.csv").write_text("id,text\n" + "".join(f"{i},hola\n" for i in range(3)))
    pq.write_table(pa.Table.from_pylist(rows), room / "textos.parquet")
    (room / "vacio.jsonl").write_text("\n")
    (room / "clave.yaml").write_text("source: {path: textos.jsonl, identificador: id}\n")
    (room / "roto.yaml").write_text("source: {path: [textos.jsonl\n")
    model = "scores: {sentiment: {model: ./nada}}"
    (room / "modelo.yaml").write_text(f"source: {{path: a.jsonl}}\n{model}\n")
    (room / "bien.yaml").write_text("source: {path: textos.jsonl}\n")
    (room / "fichero").write_text("in the way")
    (room / "sin-nada").mkdir()
    for name in ("sin-config", "sin-pesos", "sin-tokenizador", "sin-etiquetas"):
        (room / name).mkdir()
    for name in ("sin-config", "sin-tokenizador", "sin-etiquetas"):
        (room / name / "model.safetensors").write_bytes(b"")
    for name in ("sin-config", "sin-pesos", "sin-etiquetas"):
        (room / name / "tokenizer.json").write_text("{}")
    one = {"model_type": "bert", "id2label": {"0": "only"}}
    for name in ("sin-pesos", "sin-tokenizador"):
        (room / name / "config.json").write_text(json.dumps(one))
    same = {"model_type": "bert", "id2label": {"0": "only", "1": "only"}}
    (room / "sin-etiquetas" / "config.json").write_text(json.dumps(same))
    (room / "out" / "job" / "runs").mkdir(parents=True)
    command("--help", cwd=room)
    return room


WRONG = {
    "path": ("score no-existe.jsonl --labels a,b", "no-existe.jsonl", "not found"),
    "glob": ("score no-*.jsonl", "no-*.jsonl", "no file to read"),
    "no rows": ("score vacio.jsonl", "vacio.jsonl", "no rows"),
    "column": ("score textos.jsonl --id codigo", "textos.jsonl", "'codigo' for `id`"),
    "text column": ("score textos.csv --text texto", "textos.csv", "'texto' for `text`"),
    "store": ("score nada://cubo/a.jsonl", "nada://", "Protocol not known"),
    "offline": ("score --dataset uno/dos", "data set uno/dos", "HF_HUB_OFFLINE"),
    "key": ("score --job clave.yaml", "clave.yaml", "source.identificador: unknown key"),
    "YAML": ("score --job roto.yaml", "roto.yaml, line 2", "not valid YAML"),
    "no job file": ("score --job nada.yaml", "nada.yaml", "No such file"),
    "label twice": ("score textos.jsonl --labels a,b,a", "scores.topic.labels", "given twice"),
    "template": ("score textos.jsonl --labels a --template x", "scores.topic.template", "{}"),
    "value": ("score textos.jsonl --precision fp8", "compute.precision", "'fp32'"),
    "no folder": ("score textos.jsonl --sentiment-model ./nada", "./nada", "no such folder"),
    "not cached": ("score textos.jsonl --sentiment-model uno/dos", "uno/dos", "HF_HUB_OFFLINE"),
    "empty": ("score textos.jsonl --sentiment-model sin-nada", "sin-nada", "safetensors"),
    "no config": ("score textos.jsonl --sentiment-model sin-config", "sin-config", "config.json"),
    "no weights": ("score textos.jsonl --sentiment-model sin-pesos", "sin-pesos", "safetensors"),
    "no tokenizer": (
        "score textos.jsonl --sentiment-model sin-tokenizador",
        *("sin-tokenizador", "tokenizer.json"),
    ),
    "labels alike": (
        "score textos.jsonl --sentiment-model sin-etiquetas",
        *("sin-etiquetas", "'only' twice"),
    ),
    "device": ("score textos.jsonl --device mps", "compute.device", "mps"),
    "precision": (
        "score textos.jsonl --precision int8 --backend torch",
        *("compute.precision", "int8 needs"),
    ),
    "out is a file": ("score textos.jsonl --out fichero", "output.dir", "fichero is not a folder"),
    "dry run": ("score textos.jsonl --id codigo --dry-run", "textos.jsonl", "'codigo'"),
    "serve: key": ("serve clave.yaml", "clave.yaml", "unknown key"),
    "serve: twice": ("serve bien.yaml bien.yaml", "nocturna serve", "two jobs are named 'bien'"),
    "serve: cron": ("serve bien.yaml --cron 99", "--cron '99'", "five fields"),
    "serve: zone": ("serve bien.yaml --timezone Mars/X", "--timezone 'Mars/X'", "no time zone"),
    "serve: model": ("serve modelo.yaml", "model ./nada", "no such folder"),
}
NEEDS_ARROW = {
    "no budget": ("score textos.jsonl --summaries", "summaries", "max_usd"),
    "no key": ("score textos.jsonl --summaries --max-usd 1", "summaries", "GEMINI_API_KEY"),
    "runs of no folder": ("runs --out nada", "--out nada", "no such folder"),
    "runs of no job": ("runs otro", "out/otro", "no runs"),
    "jobs": ("jobs nada", "nada", "no such job file"),
    "parquet column": ("score textos.parquet --id codigo", "textos.parquet", "'codigo' for `id`"),
    "evaluate: path": ("evaluate nada.jsonl --task sentiment", "nada.jsonl", "not found"),
    "evaluate: column": (
        "evaluate textos.jsonl --task sentiment --gold oro",
        *("textos.jsonl", "'oro'"),
    ),
    "evaluate: task": ("evaluate textos.jsonl --task x", "--task x", "sentiment or topic"),
    "evaluate: model": (
        "evaluate textos.jsonl --task sentiment --model ./nada",
        *("./nada", "no such folder"),
    ),
    "columns": ("columns nada", "nada", "no results here"),
    "query": ("query nada select", "nada", "nothing is published here"),
    "publish": ("publish nada --accept x", "no run 'nada'", "nocturna runs"),
}


def ended(room: Path, line: str):
    return command(*line.split(), cwd=room, env={"HF_HUB_OFFLINE": "1", "GEMINI_API_KEY": ""})


EVERY = list(WRONG | NEEDS_ARROW)
ASKED = [
    kind if at % 3 == 0 else pytest.param(kind, marks=pytest.mark.slow)
    for at, kind in enumerate(EVERY)
]
"""`make test` tries a third of them: each is a process of its own."""


@pytest.mark.parametrize("kind", ASKED)
def test_quick_errors(room, kind):
    line, *words = (WRONG | NEEDS_ARROW)[kind]
    done = ended(room, line)
    assert done.code == 2, done.err
    assert done.err.count("\n") == 1 and "unexpected" not in done.err
    assert all(word in done.err for word in words), done.err
    allowed = {"numpy", "pyarrow"} if kind in NEEDS_ARROW else set()
    if kind in ("publish", "columns"):
        allowed |= {"duckdb"}
    if kind == "store":
        allowed |= {"fsspec"}
    assert done.heavy <= allowed
    assert done.cpu <= LIMIT


def test_an_unknown_option_is_said_with_the_usage(room):
    done = ended(room, "score textos.jsonl --etiquetas a,b")
    assert done.code == 2 and "--etiquetas" in done.err
    assert not done.heavy and done.cpu <= LIMIT


@pytest.mark.parametrize("line", ["--help", "--version", "score --help", "runs", "jobs bien.yaml"])
def test_what_only_tells_is_quick(room, line):
    done = ended(room, line)
    assert done.code == 0, done.err
    assert done.heavy <= {"numpy", "pyarrow"} and done.cpu <= LIMIT


def test_a_dry_run_loads_no_model_and_no_engine(room):
    done = ended(room, "score textos.jsonl --id id --labels a,b --dry-run")
    assert done.code == 0 and "3 of 3 documents to score" in done.out
    assert done.heavy <= {"numpy", "pyarrow", "pandas", "duckdb"}  # pandas: Arrow looks for it
    assert done.cpu <= 3.0 * LIMIT
