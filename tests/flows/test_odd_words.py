"""Every command with names that a terminal would obey or a table would read as markup.

What is printed shows them escaped or as they are; what is published holds them exactly.
"""

import json

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.models import TEXTS

pytestmark = pytest.mark.usefixtures("engine")

ODD = "\x1b]0;hola\x07\x1b[31m\x9b1m\u202e"
SHOWN = "\\x1b]0;hola\\x07\\x1b[31m\\u009b1m\\u202e"
OBEYED = set("\x1b\x07\x9b\u202e\x7f")


@pytest.fixture
def encoder(small_models) -> list[str]:
    return ["--topic-model", str(small_models["encoder"]), "--method", "embedding"]


def test_escape_in_text(nocturna, encoder, tmp_path, monkeypatch):
    source = tmp_path / f"no{ODD}tas.jsonl"
    ids = [f"{ODD}{i}\n{i}" for i in range(len(TEXTS) - 1)]
    rows = [{"id": i, "text": t, ODD: "x"} for i, t in zip([*ids, ids[0]], TEXTS, strict=True)]
    lines = [*map(json.dumps, rows), "{roto" + ODD]
    source.write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / f"fi{ODD}n.yaml").write_text(f"fuente{json.dumps(ODD)}: 1\n", "utf-8")
    labels = ["--labels", f"{ODD}rojo,normal"]
    job = ["score", source, "--id", "id", "--no-sentiment", *encoder, *labels, "--name", "x"]
    job += ["--keep", f"'{ODD}'", "--max-quarantined"]
    gold = ["evaluate", source, "--task", "topic", "--gold", "id", "--labels", f"{ODD}a,b"]
    gold += ["--model", encoder[1], "--method", "embedding"]
    commands = {
        "missing file": (["score", f"fal{ODD}ta.jsonl", *labels], 2),
        "unknown column": (["score", source, "--id", f"co{ODD}d", *labels], 2),
        "unknown model": (["score", source, "--sentiment-model", f"./{ODD}"], 2),
        "wrong name": (["score", source, "--name", ODD], 2),
        "wrong label": (["score", source, *encoder, "--labels", f"{ODD},{ODD}"], 2),
        "bad lines": ([*job, "0.01"], 2),
        "published": ([*job, "1"], 0),
        "published, as JSON": ([*job, "1", "--full", "--json"], 0),
        "replaced": ([*job, "1", "--labels", f"{ODD}más"], 2),
        "runs": (["runs"], 0),
        "runs as JSON": (["runs", "--json"], 0),
        "no such run": (["runs", "show", ODD], 2),
        "cleaned": (["runs", "clean"], 0),
        "what can be rolled back": (["rollback", "out/x", "--list"], 0),
        "nowhere to roll back": (["rollback", f"out/{ODD}"], 2),
        "columns": (["columns", "out/x"], 0),
        "columns as JSON": (["columns", "out/x", "--json"], 0),
        "jobs": (["jobs", f"fi{ODD}n.yaml"], 2),
        "publish": (["publish", f"no{ODD}", "--accept", ODD], 2),
        "evaluate": (gold, 2),
        "map": ([*gold, "--map", ODD], 2),
    }
    said = {}
    for kind, (command, code) in commands.items():
        said[kind] = done = nocturna(*command)
        assert done.code == code, (kind, done.out, done.err)
        assert not OBEYED & set(done.out + done.err), kind
        if code == 2:
            assert (done.out + done.err).count("\n") == 1, (kind, done.err)
    story = nocturna("runs", "show", said["published, as JSON"].json["run_id"])
    assert f"topic: {SHOWN}rojo" in story.out and not OBEYED & set(story.out)
    assert f"fal{SHOWN}ta.jsonl" in said["missing file"].err
    assert f"topic {SHOWN}rojo" in said["published"].out
    assert f"{ODD}rojo" in said["published, as JSON"].json["shares"]["topic"]
    assert said["columns"].out.count(SHOWN) == 2, "a label and a kept column"
    frame = pd.read_parquet(tmp_path / "out" / "x" / "results")
    assert sorted(frame.doc_id) == sorted(ids)
    assert set(frame.topic) <= {f"{ODD}rojo", "normal"}
    assert list(frame[ODD]) == ["x"] * len(ids)

    monkeypatch.setenv("NOCTURNA_DEBUG", "1")
    monkeypatch.setattr("nocturna.cli.app", lambda **_: 1 / len(ODD[:0]) or ODD)
    trace = nocturna("runs")
    assert trace.code == 1 and "Traceback" in trace.err
    assert not OBEYED & set(trace.err)


def test_markup_in_labels(nocturna, encoder, tmp_path):
    source = tmp_path / "textos[b].jsonl"
    rows = [{"id": f"[/b]{i}", "text": t, "[red]": ":smile:"} for i, t in enumerate(TEXTS)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    written = ("[red]alerta", "[/b]fin", "[link=x]a", "b [bold]", ":smile: c")
    done = nocturna(
        *("score", source, "--id", "id", "--no-sentiment", *encoder, "--name", "marcas"),
        *("--labels", ",".join(written), "--keep", "[red]"),
    )
    assert done.code == 0, done.err
    columns = nocturna("columns", "out/marcas")
    assert columns.code == 0, columns.err
    for label in written:
        assert label in done.out
        assert label in columns.out
    assert "'[red]'" in columns.out
    assert nocturna("runs").code == 0


@pytest.mark.parametrize("name", ["D", "day"])
def test_dates_of_any_name_and_year_leave_the_report_whole(nocturna, models, tmp_path, name):
    days = pa.array([253402300800, -62135596801, 1_700_000_000, 1_702_000_000, 1_702_900_000])
    table = pa.table(
        {"id": range(5), "text": TEXTS[:5], name: days.cast(pa.timestamp("s"))},
    )
    pq.write_table(table, tmp_path / "c.parquet")
    done = nocturna("score", tmp_path / "c.parquet", *models, "--id", "id", "--keep", name)
    assert done.code == 0 and "no report" not in done.err
    (report,) = tmp_path.glob("out/c/runs/*/report.html")
    assert report.stat().st_size > 1000
    assert nocturna("report", tmp_path / "out" / "c").code == 0


@pytest.mark.slow
def test_folders_whose_names_are_patterns_or_columns_to_others(nocturna, encoder, tmp_path):
    source = tmp_path / "c.jsonl"
    rows = [{"id": i, "text": text, "lang": "es"} for i, text in enumerate(TEXTS)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    out = tmp_path / "out [2026]{a,b}*" / "doc_id=9" / "lang=7" / "topic=x"
    for night in (1, 2):
        done = nocturna(
            *("score", source, "--id", "id", "--no-sentiment", *encoder, "--labels", "a,b"),
            *("--keep", "lang", "--out", out, "--json"),
        )
        assert done.code == 0, done.err
        counts = done.json["counts"]
        assert (counts["scored"], counts["carried"]) == ((10, 0) if night == 1 else (0, 10))
        assert set(done.json["shares"]["topic"]) == {"a", "b"}
    (shown,) = nocturna("query", out / "c", "select distinct lang from results", "--json").json
    line = done.json["reading"]["duckdb"]
    found = eval(line, {"duckdb": duckdb}).df()
    assert shown == {"lang": "es"} and len(found) == 10 and set(found.lang) == {"es"}
