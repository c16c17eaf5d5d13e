"""Small files that unpack to much: their rows, or one line; never the night or the memory."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from nocturna.tasks.corpus import unpacking
from nocturna.tasks.corpus.input_files import InputFile
from nocturna.tasks.corpus.jsonrows import Ambiguous, parse
from nocturna.tasks.corpus.lines import iter_lines
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    compressed,
    jsonl,
    read_all,
    reasons,
    source,
    texts,
    write,
)

MIB = 1 << 20
DOCUMENT = b'{"id": "d0", "text": "Odio esto."}\n'
BLANK = 64

READ = """
import json, sys, tempfile
from pathlib import Path
import pyarrow.parquet as pq
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Source
from nocturna.tasks.results import files

def read(path, folder):
    staged = stage(Source(path=path), Shelf(Path(folder), files.put_folder))
    found = [pq.read_table(p) for p in sorted(Path(folder).rglob("index-*.parquet"))]
    rows = [row for one in found for row in one["source_row"].to_pylist()]
    return {"rows": rows, "reasons": staged.lots[0][1].reasons}

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

said = {}
for path in sys.argv[1:]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            said[Path(path).name] = read(path, folder)
        except UsageError as error:
            said[Path(path).name] = {"line": str(error)}
    said[Path(path).name]["peak"] = peak()
print(json.dumps(said))
"""

# each: the pieces of the file and how often; the rows of its documents, or what is said of it
FILES = {
    "feeds.jsonl.zst": ([(DOCUMENT, 1), (b"\n" * MIB, BLANK), (DOCUMENT, 1)], [1, 2 + BLANK * MIB]),
    "spaces.jsonl.zst": (
        [(DOCUMENT, 1), (b"   \n" * (MIB // 4), BLANK), (DOCUMENT, 1)],
        [1, 2 + BLANK * MIB // 4],
    ),
    "one.txt.zst": ([(b"hola\n", 1), (b" " * MIB, BLANK), (b"\nque\n", 1)], [1, 3]),
    "crlf.csv.zst": (
        [(b"id,text\r\nd0,a\r\n", 1), (b"\r\n" * (MIB // 2), BLANK), (b"d1,b\r\n", 1)],
        [2, 3 + BLANK * MIB // 2],
    ),
    "white.json.zst": (
        [(b"[" + DOCUMENT, 1), (b" \n" * (MIB // 2), BLANK), (b"," + DOCUMENT + b"]", 1)],
        [1, 2],
    ),
    "line.jsonl.zst": ([(DOCUMENT, 1), (b"a" * MIB, 80), (b"\n" + DOCUMENT, 1)], [1, 3]),
    "nested.jsonl.zst": ([(DOCUMENT, 1), (b"[" * MIB, 30), (b"\n" + DOCUMENT, 1)], [1, 3]),
    "numbers.jsonl.zst": (
        [(DOCUMENT + b"[0", 1), (b",0" * (MIB // 2), 60), (b"]\n" + DOCUMENT, 1)],
        [1, 3],
    ),
    "quoted.csv.zst": ([(b'text\nhola\n"que', 1), (b"\n" * MIB, 100), (b'"\n', 1)], [2]),
    "nested.json.zst": ([(b"[" * MIB, 30)], "nested too deeply"),
    "array.json.zst": ([(b'[{"text": [0', 1), (b",0" * (MIB // 2), 6)], "more than 1,000,000"),
    "number.json.zst": ([(b"[", 1), (b"1" * MIB, 80)], "a value longer than 67108864"),
    "string.json.zst": ([(b'["', 1), (b"1" * MIB, 80)], "a value longer than 67108864"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict:
    """What one process says of all files, one after the other."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (pieces, _) in FILES.items():
        pack = zstandard.ZstdCompressor().stream_writer((folder / name).open("wb"))
        with pack as out:
            for piece, times in pieces:
                for _ in range(times):
                    out.write(piece)
        assert (folder / name).stat().st_size < 40_000
    paths = [str(folder / name) for name in FILES]
    done = subprocess.run(
        [sys.executable, "-c", READ, *paths], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_each_gives_its_rows_at_their_true_places_or_one_line(said, name):
    expected = FILES[name][1]
    if isinstance(expected, list):
        assert said[name].get("rows") == expected, said[name]
    else:
        assert name in said[name]["line"] and expected in said[name]["line"]
        assert "\n" not in said[name]["line"]


@pytest.mark.slow
def test_none_takes_more_memory_than_its_longest_record_needs(said):
    assert max(one["peak"] for one in said.values()) < 1000


def test_blank_lines_come_as_runs_however_many_they_are():
    blocks = [b"uno\n" + b"\n" * MIB, b" \r\n" * MIB, b"\n" * MIB + b"  dos\n"]
    lines = list(iter_lines(blocks))
    assert len(lines) == 5
    assert (lines[-1].number, lines[-1].data) == (2 + 3 * MIB, b"  dos")


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(unpacking, "FREE_ROWS", 1 * MIB)
    monkeypatch.setattr(unpacking, "FREE_ALL", 2 * MIB)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("c.jsonl", jsonl([{"text": "a"}]) * 100_000),
        ("c.txt", b"0\n" * 20_000),
        ("c.csv", b"text\n" + b"hola\n" * 20_000),
        ("c.json", b"[0" + b",0" * 20_000 + b"]"),
    ],
)
def test_rows_that_unpack_to_too_much_are_one_line_that_names_file_and_limit(
    tmp_path, name, data, ending
):
    path = write(tmp_path / (name + ending), compressed(data, ending))
    with pytest.raises(UsageError) as error:
        read_all(source(path))
    line = str(error.value)
    assert line.startswith(f"{path}: its {path.stat().st_size:,} bytes unpack to rows of more than")
    assert "1 MiB and 250 times" in line and "\n" not in line
    plain = write(tmp_path / name, data)
    assert read_all(source(plain))


@pytest.mark.usefixtures("small_limit")
def test_so_is_a_stream_that_does_not_end(tmp_path):
    data = compressed(DOCUMENT + b"\n" * (3 * MIB), ".zst")
    path = write(tmp_path / "c.jsonl.zst", data)
    with pytest.raises(UsageError, match="bytes unpack to more than 2 MiB and 250 times as much"):
        read_all(source(path))


@pytest.mark.usefixtures("small_limit")
def test_what_people_write_is_no_bomb(tmp_path):
    rows = [{"id": f"{i}", "text": f"El pleno aprobó el punto {i}. " * 8} for i in range(10_000)]
    path = write(tmp_path / "c.jsonl.gz", compressed(jsonl(rows), ".gz"))
    assert len(jsonl(rows)) > 2 * MIB
    assert texts(read_all(source(path))[0]) == texts(rows)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("format", ["parquet", "arrow"])
@pytest.mark.parametrize("repeats", ["as a dictionary", "in its compression"])
def test_a_text_that_a_columnar_file_repeats_is_bounded_too(tmp_path, format, repeats):
    text = "Odio este producto. " * 500
    column = pa.array([text] * 1000)
    if repeats == "as a dictionary":
        column = column.dictionary_encode()
    table, path = pa.table({"text": column}), tmp_path / f"c.{format}"
    if format == "parquet":
        pq.write_table(table, path, compression="zstd", use_dictionary="dict" in repeats)
    else:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_file(path, table.schema, options=options) as out:
            out.write_table(table)
    with pytest.raises(UsageError, match=rf"c\.{format}: its .* unpack to rows of more than 1 MiB"):
        read_all(source(path))


def test_a_json_row_is_measured_before_it_is_made():
    assert len(parse("[" + "0," * 999_990 + "0]")) == 999_991
    assert parse(json.dumps(["a,b[{" * 400_000, 1]))[0] == "a,b[{" * 400_000
    with pytest.raises(Ambiguous, match="more than 1,000,000 values"):
        parse("[" + "0," * 1_000_000 + "0]")


@pytest.mark.slow
def test_a_key_that_is_there_twice_is_found_at_once_among_very_many(tmp_path):
    keys = [*(f'"k{i}": 1' for i in range(200_000)), '"k199999": 2']
    path = write(tmp_path / "c.jsonl", "{" + ", ".join(keys) + "}\n" + DOCUMENT.decode())
    documents, rejects = read_all(source(path))
    assert (len(documents), reasons(rejects)) == (1, ["duplicate_key"])
    assert "'k199999' is there twice" in rejects[0]["message"]


def test_a_file_that_is_not_compressed_is_what_it_is():
    item = InputFile("c.txt", "text", None, 10, "", "c.txt")
    unpacking.Unpacked(item).add(unpacking.FREE_ROWS * 2)
