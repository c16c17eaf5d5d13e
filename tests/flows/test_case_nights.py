"""Nights of corpora as people have them: what becomes of kept columns and of repeated ids."""

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.corpus.corpora import jsonl, parquet, write, zipped

pytestmark = pytest.mark.usefixtures("engine")
OURS = ["text", "doc_id", "content_hash", "source_uri", "source_row", "error_code", "status"]
AWKWARD = [
    "part",
    "row",
    "shard",
    "position",
    "needs",
    "filename",
    "file_row_number",
    "source_text",
]


@pytest.fixture
def score(nocturna, small_models, tmp_path):
    """Scores a corpus of the test's folder; gives how it ended and the rows by id."""

    def run(corpus, *options):
        model = ["--topic-model", small_models["encoder"], "--method", "embedding"]
        done = nocturna(
            *("score", corpus, "--id", "id", "--no-sentiment", *model, "--labels", "queja,elogio"),
            *(*options, "--json"),
        )
        rows = tmp_path / "out" / corpus.split("/")[-1].split(".")[0] / "results"
        return done, pd.read_parquet(rows).set_index(
            "doc_id"
        ).sort_index() if rows.exists() else None

    return run


def test_kept_our_names(score, tmp_path):
    names = [*OURS, *AWKWARD]
    rows = [{"id": f"n{n}", **{name: f"{name} {n}" for name in names}} for n in (1, 2)]
    for night in (1, 2):
        rows[1]["part"] = f"noche {night}"
        write(tmp_path / "c.jsonl", jsonl(rows))
        done, found = score("c.jsonl", "--keep", ",".join(names))
        assert done.code == 0, done.err
        for row in rows:
            got = found.loc[row["id"]]
            assert (
                got["status"] == "ok" and got["source_row"] in (1, 2) and pd.isna(got["error_code"])
            )
            assert {n: got[f"source_{n}"] for n in OURS[1:]} == {n: row[n] for n in OURS[1:]}
            assert (got["source_source_text"], got["source_text"]) == (
                row["text"],
                row["source_text"],
            )
            assert (got["part"], got["row"], got["shard"]) == (
                row["part"],
                row["row"],
                row["shard"],
            )
            assert got["source_filename"] == row["filename"]
    assert (done.json["counts"]["scored"], done.json["counts"]["rewritten"]) == (0, 1)


@pytest.mark.slow
def test_kept_int_new_file_double(score, tmp_path):
    def put(name, ids, prices):
        table = pa.table({"id": ids, "text": [f"Precio de {i}." for i in ids], "price": prices})
        write(tmp_path / "precios" / name, parquet(table))

    put("enero.parquet", ["a1", "a2"], pa.array([10, 25]))
    assert score("precios", "--keep", "price")[0].code == 0
    put("febrero.parquet", ["b1"], pa.array([12.5]))
    done, found = score("precios", "--keep", "price")
    assert found.price.to_dict() == {"a1": 10.0, "a2": 25.0, "b1": 12.5}
    assert (done.json["counts"]["scored"], done.json["counts"]["carried"]) == (1, 2)
    (tmp_path / "precios" / "enero.parquet").unlink()
    put("febrero.parquet", ["b1"], pa.array([2**53 + 1]))
    done, found = score("precios", "--keep", "price", "--allow-shrink")
    assert done.code == 0, done.err
    assert found.price.to_dict() == {"a1": "10", "a2": "25", "b1": str(2**53 + 1)}
    assert "kept as text" in done.err
    done, found = score("precios", "--keep", "price", "--allow-shrink")
    assert found.price.to_dict() == {"a1": "10", "a2": "25", "b1": str(2**53 + 1)}
    assert (done.json["counts"]["scored"], done.json["counts"]["rewritten"]) == (0, 0)


def test_kept_value_changes(score, tmp_path):
    rows = [{"id": n, "text": f"Aviso {n}.", "estado": "abierto"} for n in "12"]
    write(tmp_path / "c.jsonl", jsonl(rows))
    _, before = score("c.jsonl", "--keep", "estado")
    rows[0]["estado"] = "cerrado"
    write(tmp_path / "c.jsonl", jsonl(rows))
    done, after = score("c.jsonl", "--keep", "estado")
    assert after.estado.to_dict() == {"1": "cerrado", "2": "abierto"}
    assert done.json["counts"]["scored"] == 0
    assert after.topic_queja.equals(before.topic_queja)


def test_rows_that_failed_before_cost_no_night_that_only_writes_them_anew(score, tmp_path):
    rows = [{"id": n, "text": f"Aviso {n}." if n else None, "precio": 1} for n in range(6)]
    write(tmp_path / "c.jsonl", jsonl(rows))
    done, _ = score("c.jsonl", "--keep", "precio")
    assert (done.json["counts"]["scored"], done.json["counts"]["failed"]) == (5, 1)
    write(tmp_path / "c.jsonl", jsonl([*rows, {"id": 6, "text": "Aviso 6.", "precio": 2.5}]))
    done, after = score("c.jsonl", "--keep", "precio")
    assert done.code == 0, done.err
    counts = done.json["counts"]
    assert (counts["scored"], counts["failed"], counts["carried"]) == (1, 0, 6)
    assert after.precio.to_dict() == {str(n): 2.5 if n == 6 else 1.0 for n in range(7)}
    assert after.status.value_counts().to_dict() == {"ok": 6, "failed": 1}


def test_appended_updates(score, nocturna, tmp_path):
    texts = {"t1": "uno", "t2": "dos", "t3": "tres"}
    rows = [{"id": i, "text": f"{t} {n}"} for n in (1, 2) for i, t in texts.items()][:5]
    write(tmp_path / "c.jsonl", jsonl(rows))
    done, _ = score("c.jsonl")
    assert done.code == 2 and "'t1'" in done.err and "--on-repeat last" in done.err
    done, found = score("c.jsonl", "--on-repeat", "last")
    assert found.source_row.to_dict() == {"t1": 4, "t2": 5, "t3": 3}
    counts = done.json["counts"]
    assert (counts["read"], counts["scored"], counts["superseded"]) == (5, 3, 2)
    assert counts["quarantined"] == 0
    shown = nocturna("runs", "show", done.json["run_id"]).out
    assert "0 quarantined + 2 superseded" in " ".join(shown.split())
    write(tmp_path / "c.jsonl", jsonl([*rows, {"id": "t3", "text": "tres 2"}]))
    done, found = score("c.jsonl", "--on-repeat", "last")
    assert found.source_row["t3"] == 6
    assert (done.json["counts"]["scored"], done.json["counts"]["carried"]) == (1, 2)


def test_two_corpora_one_name(score, tmp_path):
    for folder, rows in (("ventas", 3), ("soporte", 2)):
        lines = [{"id": n, "text": f"{folder} {n}"} for n in range(rows)]
        write(tmp_path / folder / "notas.jsonl", jsonl(lines))
    assert score("ventas/notas.jsonl")[0].code == 0
    done, found = score("soporte/notas.jsonl")
    assert done.code == 2 and len(done.err.strip().splitlines()) == 1
    assert "out/notas" in done.err and "ventas" in done.err and "--name" in done.err
    assert len(found) == 3


@pytest.mark.slow
def test_renamed_and_all_columns_night_after_night(score, tmp_path):
    def put(name, *rows):
        found = [{"id": i, "text": f"Nota {i}.", **more} for i, more in rows]
        write(tmp_path / "notas" / name, jsonl(found))

    keep = ["--keep", "fecha=dia,*"]
    put("1.jsonl", ("a", {"fecha": "lunes", "n": 1}), ("b", {"fecha": "lunes", "n": 2, "raro": 0}))
    done, found = score("notas", *keep)
    assert done.code == 0, done.err
    assert list(found.columns[found.columns.get_loc("dia") :][:3]) == ["dia", "n", "raro"]
    done, found = score("notas", *keep)
    assert (done.json["counts"]["carried"], done.json["counts"]["rewritten"]) == (2, 0)
    put("1.jsonl", ("a", {"fecha": "martes", "n": 1.5}), ("b", {"fecha": "lunes", "n": 2}))
    put("2.jsonl", ("c", {"fecha": "lunes", "n": 3, "nuevo": True}))
    done, found = score("notas", *keep)
    assert done.code == 0, done.err
    assert done.json["counts"]["scored"] == 1
    assert found.dia.to_dict() == {"a": "martes", "b": "lunes", "c": "lunes"}
    assert found.n.to_dict() == {"a": 1.5, "b": 2.0, "c": 3.0}
    assert found.raro.isna().all() and found.nuevo.to_list() == [None, None, True]
    assert "no file has the columns 'raro' of last night" in done.err
    done, _ = score("notas", "--keep", "fecha,*")
    assert done.code == 2 and "columns would vanish: 'dia'" in done.err
    done, _ = score("notas", "--keep", "fecha=n,*")
    assert done.code == 2 and "would both be named 'n'" in done.err
    done, _ = score("notas", "--keep", "fecha=Status")
    assert done.code == 2 and "fecha=Status: every job has or may have" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_corpus_of_several_paths(nocturna, small_models, tmp_path):
    model = ["--topic-model", small_models["encoder"], "--method", "embedding"]
    asked = ["--id", "id", "--no-sentiment", *model, "--labels", "queja,elogio"]
    for name in ("a/1.jsonl", "b/1.jsonl", "b/1.csv"):
        rows = [{"id": name, "text": f"Nota de {name}."}]
        write(tmp_path / name, jsonl(rows) if name.endswith("l") else f"id,text\n{name},x\n")
    done = nocturna("score", "a", "b/1.jsonl", *asked)
    assert (done.code, "needs a --name" in done.err) == (2, True)
    done = nocturna("score", "a", "b/1.jsonl", *asked, "--name", "dos", "--json")
    assert done.json["counts"]["scored"] == 2, done.err
    done = nocturna("score", "a", "b", "--include", "*.jsonl", *asked, "--name", "dos", "--json")
    assert (done.code, done.json["counts"]["carried"]) == (0, 2), done.err
    done = nocturna("score", "a", "b", "--include", "*.tsv", *asked, "--name", "dos")
    assert done.code == 2 and "no file to read is left by `include`: *.tsv" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.slow
def test_a_table_and_an_archive_grow_by_a_night(score, tmp_path):
    def put(ids):
        rows = [(f"m/{i}.jsonl", jsonl([{"id": i, "text": f"Nota {i}."}])) for i in ids]
        write(tmp_path / "notas.zip", zipped(rows))
        table = pa.table({"id": list(ids), "text": [f"Nota {i}." for i in ids]})
        write_deltalake(tmp_path / "tabla", table, mode="overwrite")

    for ids, counts in (("abc", (3, 0)), ("bcd", (1, 2))):
        put(ids)
        for corpus in ("notas.zip", "tabla"):
            gone = "drop" if corpus == "tabla" else "keep"
            done, found = score(corpus, "--deletions", gone, "--allow-shrink")
            assert done.code == 0, done.err
            assert (done.json["counts"]["scored"], done.json["counts"]["carried"]) == counts
            assert "".join(found.index) == ("abcd" if gone == "keep" and "d" in ids else ids)
    assert found.source_uri["d"].startswith(f"{tmp_path}/tabla/part-")
    rows = pd.read_parquet(tmp_path / "out" / "notas" / "results").set_index("doc_id")
    assert rows.source_uri["d"] == f"zip://m/d.jsonl::{tmp_path}/notas.zip"
