"""What `datasets` 5.2 does with awkward corpora, case by case, and what happens here instead."""

import os
import re
import subprocess
import sys

import pyarrow as pa
import pytest

from nocturna.tasks.corpus.index import build_index
from nocturna.tasks.errors import UsageError
from nocturna.tasks.results import files
from tests.corpus.corpora import (
    compressed,
    jsonl,
    parquet,
    read_all,
    read_indexed,
    reasons,
    source,
    staged_in,
    texts,
    write,
)


def test_a_readme_with_configs_does_not_choose_the_files(tmp_path):
    configs = "---\nconfigs:\n- config_name: default\n  data_files: noche1.jsonl\n---\n"
    write(tmp_path / "README.md", configs)
    write(tmp_path / "noche1.jsonl", jsonl([{"text": "uno"}]))
    assert texts(read_all(source(tmp_path))[0]) == ["uno"]
    write(tmp_path / "noche2.jsonl", jsonl([{"text": "dos"}]))
    assert texts(read_all(source(tmp_path))[0]) == ["uno", "dos"]


def test_changed_content_under_the_same_mtime_is_seen_and_a_touch_is_not(tmp_path):
    path = write(tmp_path / "c.jsonl", jsonl([{"text": "uno"}]))
    os.utime(path, (1_000_000, 1_000_000))
    (before,) = staged_in(source(path), tmp_path / "s").inputs
    os.utime(path, (2_000_000, 2_000_000))
    assert staged_in(source(path), tmp_path / "s").inputs == (before,)
    write(path, jsonl([{"text": "dos"}]))
    os.utime(path, (1_000_000, 1_000_000))
    (after,) = staged_in(source(path), tmp_path / "s").inputs
    assert after.fingerprint != before.fingerprint
    assert texts(read_all(source(path))[0]) == ["dos"]


def test_a_folder_of_mixed_formats_and_split_names_loses_nothing(tmp_path, caplog):
    write(tmp_path / "a.jsonl", jsonl([{"text": "uno"}]))
    write(tmp_path / "test-b.jsonl", jsonl([{"text": "dos"}]))
    write(tmp_path / "c.csv", "text\ntres\n")
    write(tmp_path / "d.parquet", parquet([{"text": "cuatro"}]))
    assert sorted(texts(read_all(source(tmp_path))[0])) == ["cuatro", "dos", "tres", "uno"]
    write(tmp_path / "e.txt", "cinco\n")
    with caplog.at_level("WARNING"):
        assert len(read_all(source(tmp_path))[0]) == 4
    assert "left out 1 file" in caplog.text and "e.txt" in caplog.text
    assert texts(read_all(source(f"{tmp_path}/*.txt"))[0]) == ["cinco"]


def test_one_broken_jsonl_line_costs_one_row_with_its_line_in_the_file(tmp_path):
    lines = [jsonl([{"text": f"{i}"}]) for i in range(5000)]
    lines[4321] = b'{"text": "sin cerrar\n'
    documents, rejects = read_all(source(write(tmp_path / "c.jsonl", b"".join(lines))))
    assert len(documents) == 4999
    assert [(row["source_row"], row["reason"]) for row in rejects] == [(4322, "invalid_json")]


@pytest.mark.parametrize("value", ["2024-01-01", "2024-01-01T10:00:00Z", "01/02/2024", "12:30"])
def test_a_text_that_looks_like_a_date_stays_a_text(tmp_path, value):
    write(tmp_path / "a.jsonl", jsonl([{"id": value, "text": value}]))
    write(tmp_path / "b.csv", f"id,text\n{value},{value}\n")
    write(tmp_path / "c.json", f'[{{"id": "{value}", "text": "{value}"}}]')
    documents, _ = read_all(source(tmp_path, id="id"))
    assert [(row["doc_id"], row["text"]) for row in documents] == [(value, value)] * 3


@pytest.mark.parametrize("value", ["NA", "null", "None", "NaN", "N/A", "007", "1e3", "True", "1.0"])
def test_csv_values_are_texts_exactly_as_written(tmp_path, value):
    write(tmp_path / "c.csv", f"id,text\n{value},{value}\n")
    write(tmp_path / "d.tsv", f"id\ttext\n{value}\t{value}\n")
    documents, _ = read_all(source(tmp_path, id="id"))
    assert [(row["doc_id"], row["text"]) for row in documents] == [(value, value)] * 2


def test_latin_1_is_read_in_json_too(tmp_path):
    write(tmp_path / "a.jsonl", '{"text": "año"}\n'.encode("latin-1"))
    write(tmp_path / "b.json", '[{"text": "año"}]'.encode("latin-1"))
    write(tmp_path / "c.csv", "text\naño\n".encode("latin-1"))
    assert texts(read_all(source(tmp_path, encoding="latin-1"))[0]) == ["año"] * 3
    documents, rejects = read_all(source(tmp_path))
    assert (documents, reasons(rejects)) == ([], ["encoding"] * 3)
    path = write(tmp_path / "d.txt", "año\n".encode("latin-1"))
    assert texts(read_all(source(path, encoding="latin-1"))[0]) == ["año"]


def test_an_extra_column_in_a_later_file_is_no_matter_and_a_missing_one_is_named(tmp_path):
    write(tmp_path / "a.parquet", parquet([{"text": "uno", "k": 1}]))
    write(tmp_path / "b.parquet", parquet([{"text": "dos", "k": 2, "otra": 3}]))
    write(tmp_path / "c.csv", "k,otra,text\n3,4,tres\n")
    assert texts(read_all(source(tmp_path))[0]) == ["uno", "dos", "tres"]
    documents, *_ = read_indexed(source(tmp_path, keep=("otra",)), tmp_path.parent / "i")
    assert [row["otra"] for row in documents] == [None, "3", "4"]
    with pytest.raises(UsageError, match=r"a\.parquet: no column 'ninguna' for `keep`"):
        read_all(source(tmp_path, keep=("ninguna",)))


def test_inputs_without_rows_are_no_error(tmp_path):
    empty = {
        "a.jsonl": b"",
        "b.csv": b"",
        "c.csv": b"id,text\n",
        "d.txt": b"",
        "e.json": b"",
        "f.json": b"[]",
        "g.json": b" [ ]\n",
        "h.jsonl": b"\n \n",
        "i.jsonl.gz": b"",
        "j.parquet": parquet(pa.table({"text": pa.array([], pa.string())})),
        "k.tsv": b"\xef\xbb\xbf",
        "l.txt.zst": b"",
        "m.jsonl.gz": compressed(b"", ".gz"),
        "n.json.zst": compressed(b"[]", ".zst"),
    }
    for name, data in empty.items():
        write(tmp_path / name, data)
        with pytest.raises(UsageError, match="the corpus has no rows"):
            read_all(source(tmp_path / name))
    write(tmp_path / "z.jsonl", jsonl([{"text": "uno"}]))
    assert texts(read_all(source(tmp_path))[0]) == ["uno"]


PEAK = """
import resource, sys
import tempfile
from pathlib import Path
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.job.job import Source
from nocturna.tasks.results import files
with tempfile.TemporaryDirectory() as folder:
    rows = stage(Source(path=sys.argv[1]), Shelf(Path(folder), files.put_folder)).rows
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_a_parquet_of_one_large_row_group_is_read_in_little_memory(tmp_path):
    def peak(rows):
        values = pa.array([f"{i:0500}" for i in range(rows)])
        path = write(tmp_path / f"{rows}.parquet", parquet(pa.table({"text": values})))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
        )
        found, mib = map(int, done.stdout.split())
        assert found == rows
        return mib

    assert peak(400_000) - peak(2_000) < 150


def test_what_was_staged_outlives_its_files(tmp_path):
    path = write(tmp_path / "c" / "b.jsonl", jsonl([{"text": f"{i}"} for i in range(100)]))
    staged = staged_in(source(tmp_path / "c"), tmp_path / "s")
    path.unlink()
    (tmp_path / "i").mkdir()
    summary = build_index(staged, tmp_path / "i", files.link_or_copy)
    assert (summary.read, summary.documents) == (100, 100)
    with pytest.raises(UsageError, match=re.escape(f"{path}: not found")):
        staged.again(0)
