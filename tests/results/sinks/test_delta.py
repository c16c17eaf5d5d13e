"""A snapshot as a Delta table: in a folder, on a real S3 server, on a stand-in for GCS."""

import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.fs import DeltaStorageHandler

from nocturna.tasks.errors import NocturnaError, Transient, UsageError
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.parts import sha256_of, write_part
from nocturna.tasks.results.schema import Columns, fitted, results_schema
from nocturna.tasks.results.shard_records import PartFile
from nocturna.tasks.results.sinks import _delta_store as store
from nocturna.tasks.results.sinks import _delta_table as tables
from nocturna.tasks.results.sinks._delta_columns import table_schema
from nocturna.tasks.results.sinks._delta_table import mirror
from nocturna.tasks.results.snapshots import Snapshot, current_snapshot, publish
from tests.results.examples import (
    COLUMNS,
    JOB,
    SCHEMA,
    TOPIC,
    documents,
    part_of,
    publish_ids,
    rows_of,
    with_topic,
)

MORE_LABELS = with_topic(labels=(*TOPIC.labels, "salud"))

KILLED = """
import os, signal, sys
from nocturna.tasks.results.sinks import _delta_table as table
from nocturna.tasks.results.layout import layout_of
from nocturna.tasks.results.snapshots import current_snapshot

point, out, uri = sys.argv[1:]
name = "put_part" if point == "after the first file" else "_commit"
real = getattr(table, name)

def dying(*arguments):
    if point != "before the commit":
        real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(table, name, dying)
layout = layout_of(out, "prensa")
table.mirror(layout, current_snapshot(layout), uri)
"""
POINTS = ("after the first file", "before the commit", "after the commit")


@pytest.fixture
def s3(s3: str) -> str:
    """The address of a table on the S3 server."""
    return f"{s3}/tabla"


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.slow)])
def uri(request, tmp_path) -> str:
    if request.param == "folder":
        return (tmp_path / "tabla").as_uri()
    return request.getfixturevalue(request.param)


def part_with(layout: Layout, run_id: str, shard: int, ids, columns: Columns) -> PartFile:
    rows = fitted(rows_of(documents(ids), run_id), results_schema(columns, JOB))
    return write_part(rows, layout.work(run_id), run_id, shard)


def two_nights(layout: Layout) -> tuple[Snapshot, Snapshot]:
    """The second one carries a part, replaces one and adds one."""
    first = [part_of(layout, "night-01", n, documents(f"{n}{i}" for i in "abc")) for n in (0, 1)]
    one = publish(layout, "night-01", first, SCHEMA)
    changed = part_of(layout, "night-02", 0, documents(["1a", "1b", "1c"], version=2))
    new = part_of(layout, "night-02", 1, documents(["2a"]))
    two = publish(layout, "night-02", [one.parts[0], changed, new], SCHEMA)
    return one, two


def stored(uri: str) -> dict[str, int]:
    """The size of every data file that is in the store, by name."""
    there = pafs.PyFileSystem(DeltaStorageHandler(uri))
    found = there.get_file_info(pafs.FileSelector("", recursive=False))
    return {f.base_name: f.size for f in found if f.type == pafs.FileType.File}


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values("doc_id", ignore_index=True)


def check_equal(uri: str, results: Path, version: int | None = None) -> None:
    """Every reader finds, row by row, what the local snapshot holds."""
    table = DeltaTable(uri, version=version)
    expected = in_order(pd.read_parquet(results))
    pd.testing.assert_frame_equal(in_order(table.to_pandas()), expected)
    rows = table.to_pyarrow_dataset()
    assert rows.count_rows() == len(expected)
    with_duckdb = duckdb.sql("FROM rows ORDER BY doc_id").fetchall()
    local = f"SELECT * FROM '{results}/*.parquet' ORDER BY doc_id"
    assert with_duckdb == duckdb.sql(local).fetchall()
    with_polars = pl.read_delta(uri, version=version).sort("doc_id")
    assert with_polars.equals(pl.read_parquet(f"{results}/*.parquet").sort("doc_id"))


def test_three_nights_are_in_the_table_as_they_are_in_the_folder(layout, uri):
    one, two = two_nights(layout)
    assert mirror(layout, one, uri).version == 0
    check_equal(uri, layout.snapshot(1))
    assert mirror(layout, two, uri).version == 1
    check_equal(uri, layout.results)

    ids = ["0a", "0b", "1a", "3a"]
    part = part_with(layout, "night-03", 0, ids, MORE_LABELS)
    three = publish(layout, "night-03", [part], results_schema(MORE_LABELS, JOB))
    assert mirror(layout, three, uri).version == 2
    check_equal(uri, layout.results)
    check_equal(uri, layout.snapshot(1), version=0)
    assert "topic_salud" in DeltaTable(uri).to_pyarrow_table().column_names

    last = DeltaTable(uri).history(1)[0]
    assert last["nocturna"] == {"job": JOB, "run": "night-03", "snapshot": 3}
    labels = {f.name: f.metadata.get("label") for f in DeltaTable(uri).schema().fields}
    assert labels["topic_computacion_e_ia"] == "computación e IA"


@pytest.mark.parametrize("name", ["año nuevo", "it's"])
def test_odd_names_are_taken_as_they_are(layout, tmp_path, s3, name):
    snapshot = publish_ids(layout, "night-01", ["a"])
    assert mirror(layout, snapshot, str(tmp_path / name)).uri == str(tmp_path / name)
    assert (tmp_path / name / "_delta_log").is_dir()
    for uri in (str(tmp_path / name), f"{s3}/{name}"):
        mirror(layout, snapshot, uri)
        assert mirror(layout, snapshot, uri).version == 0
        assert DeltaTable(uri).to_pandas()["doc_id"].tolist() == ["a"]


def test_the_files_are_ours_byte_for_byte_and_put_once(layout, tmp_path):
    uri = (tmp_path / "tabla").as_uri()
    one, two = two_nights(layout)
    mirror(layout, one, uri)
    times = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "tabla").glob("*.parquet")}
    mirror(layout, two, uri)
    shutil.rmtree(tmp_path / "tabla" / "_delta_log")
    mirror(layout, two, uri)
    there = {p.name: p for p in (tmp_path / "tabla").glob("*.parquet")}
    assert len(there) == 2 + 2
    assert {n: p.stat().st_mtime_ns for n, p in there.items() if n in times} == times
    check_equal(uri, layout.results)
    hashes = {sha256_of(path) for path in there.values()}
    assert hashes == {part.sha256 for part in (*one.parts, *two.parts)}


def test_a_snapshot_that_the_table_holds_is_not_put_again(layout, uri):
    one, two = two_nights(layout)
    mirror(layout, one, uri)
    assert [mirror(layout, two, uri).version for _ in range(3)] == [1, 1, 1]
    check_equal(uri, layout.results)
    same = publish(layout, "night-03", two.parts, SCHEMA)
    assert mirror(layout, same, uri).version == 1, "a night that changed nothing adds no version"
    check_equal(uri, layout.results)


def test_nights_that_were_missed_are_caught_up(layout, uri):
    _, two = two_nights(layout)
    assert mirror(layout, two, uri).version == 0
    check_equal(uri, layout.results)
    for night in (3, 4, 5):
        publish_ids(layout, f"night-0{night}", ["a", f"b{night}"])
    assert mirror(layout, current_snapshot(layout), uri).version == 1
    check_equal(uri, layout.results)


def test_killed_at_any_point_the_same_again_makes_it_right(tmp_path, uri):
    """Three nights die at three points; readers see one snapshot or the other, never both."""
    dying = {}
    for point in POINTS:
        layout, address = layout_of(tmp_path / point, JOB), f"{uri}/{POINTS.index(point)}"
        one, _ = two_nights(layout)
        mirror(layout, one, address)
        command = [sys.executable, "-c", KILLED, point, str(tmp_path / point), address]
        dying[point] = (layout, address, subprocess.Popen(command))
    for point, (layout, address, process) in dying.items():
        assert process.wait() == -signal.SIGKILL
        committed = point == "after the commit"
        assert DeltaTable(address).version() == (1 if committed else 0)
        check_equal(address, layout.snapshot(2 if committed else 1))
        before = stored(address)
        assert len(before) == (3 if point == "after the first file" else 4)
        assert mirror(layout, current_snapshot(layout), address).version == 1
        check_equal(address, layout.results)
        assert before.items() <= stored(address).items() and len(stored(address)) == 4


@pytest.mark.parametrize("place", ["folder", "s3", "gs"])
def test_a_faster_writer_makes_the_slower_one_look_again(
    layout, tmp_path, place, request, monkeypatch
):
    uri = str(tmp_path / "tabla") if place == "folder" else request.getfixturevalue(place)
    for snapshot in two_nights(layout):
        real, meanwhile = tables.put_part, []

        def overtaken(*arguments, real=real, meanwhile=meanwhile, snapshot=snapshot):
            real(*arguments)
            if not meanwhile:
                meanwhile.append(snapshot.number)
                mirror(layout, snapshot, uri)

        with monkeypatch.context() as patch:
            patch.setattr(tables, "put_part", overtaken)
            assert mirror(layout, snapshot, uri).version == snapshot.number - 1
        assert meanwhile
        found = in_order(DeltaTable(uri).to_pandas())
        local = in_order(pd.read_parquet(layout.snapshot(snapshot.number)))
        pd.testing.assert_frame_equal(found, local)


def test_a_writer_that_was_held_up_does_not_bring_an_old_night_back(layout, uri, monkeypatch):
    one = publish_ids(layout, "night-01", ["a"])
    more = part_of(layout, "night-02", 0, documents(["b"]))
    two = publish(layout, "night-02", [*one.parts, more], SCHEMA)
    three = publish(layout, "night-03", one.parts, SCHEMA)
    mirror(layout, one, uri)
    real, meanwhile = tables.put_part, []

    def overtaken(*arguments):
        real(*arguments)
        if not meanwhile:
            fourth = part_of(layout, "night-04", 0, documents(["c"]))
            meanwhile.append(publish(layout, "night-04", [*three.parts, fourth], SCHEMA))
            mirror(layout, meanwhile[0], uri)

    with monkeypatch.context() as patch:
        patch.setattr(tables, "put_part", overtaken)
        with pytest.raises(NocturnaError, match=r"holds snapshot 4, but .* is 2"):
            mirror(layout, two, uri)
    check_equal(uri, layout.results)


def test_two_output_folders_of_one_job_never_mix_in_its_table(layout, uri, tmp_path, monkeypatch):
    other = layout_of(tmp_path / "otro disco", JOB)
    one = publish_ids(layout, "night-01", ["a"])
    mirror(layout, one, uri)
    more = part_of(layout, "night-02", 0, documents(["b"]))
    two = publish(layout, "night-02", [*one.parts, more], SCHEMA)
    real, meanwhile = tables.put_part, []

    def overtaken(*arguments):
        real(*arguments)
        if not meanwhile:
            meanwhile.append(publish_ids(other, "night-0x", ["x", "y"]))
            mirror(other, meanwhile[0], uri)

    monkeypatch.setattr(tables, "put_part", overtaken)
    assert mirror(layout, two, uri).version == 2
    check_equal(uri, layout.results)
    check_equal(uri, other.results, version=1)


def test_a_file_that_does_not_arrive_whole_is_not_added(layout, uri, monkeypatch):
    one, two = two_nights(layout)
    mirror(layout, one, uri)
    real = pafs.copy_files

    def cut_short(source, *arguments, **options):
        short = layout.root / "short"
        short.write_bytes(Path(source).read_bytes()[:-8])
        real(str(short), *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store.pafs, "copy_files", cut_short)
        with pytest.raises(Transient, match="bytes arrived"):
            mirror(layout, two, uri)
    check_equal(uri, layout.snapshot(1))
    mirror(layout, two, uri)
    check_equal(uri, layout.results)


def test_a_writer_that_is_always_late_gives_up(layout, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_commit", lambda *arguments: None)
    snapshot = publish_ids(layout, "night-01", ["a"])
    with pytest.raises(Transient, match="tabla: other writers"):
        mirror(layout, snapshot, str(tmp_path / "tabla"))


def test_what_others_did_to_the_table_is_undone(layout, uri, tmp_path):
    one, two = two_nights(layout)
    mirror(layout, one, uri)
    DeltaTable(uri).alter.add_columns([DeltaTable(uri).schema().fields[0].__class__("x", "long")])
    mirror(layout, one, uri)
    check_equal(uri, layout.snapshot(1))
    names = {Path(file).name for file in DeltaTable(uri).file_uris()}
    assert names == {part.name for part in one.parts}, "no file is added and removed in one go"
    DeltaTable(uri).optimize.compact()
    assert len(DeltaTable(uri).file_uris()) == 1
    mirror(layout, two, uri)
    check_equal(uri, layout.results)
    there = pafs.PyFileSystem(DeltaStorageHandler(uri))
    gone, short, _ = sorted(Path(file).name for file in DeltaTable(uri).file_uris())
    there.delete_file(gone)
    (tmp_path / "short").write_bytes(b"PAR1")
    here = pafs.LocalFileSystem()
    pafs.copy_files(
        str(tmp_path / "short"), short, source_filesystem=here, destination_filesystem=there
    )
    version = mirror(layout, two, uri).version
    check_equal(uri, layout.results)
    assert mirror(layout, two, uri).version == version, "its log is as it was"


def test_a_log_that_is_cut_short_is_one_line_with_its_cause(layout, tmp_path):
    one, _ = two_nights(layout)
    mirror(layout, one, str(tmp_path / "tabla"))
    (entry,) = (tmp_path / "tabla" / "_delta_log").glob("*.json")
    entry.write_bytes(entry.read_bytes()[:100])
    said = r"the table cannot be used: .*(?i:json).*; .* move the table away, and it is made anew"
    with pytest.raises(NocturnaError, match=said) as caught:
        mirror(layout, one, str(tmp_path / "tabla"))
    assert "clone" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("maker", ["somebody", "another job"])
def test_a_table_that_is_not_the_jobs_is_left_alone(layout, tmp_path, maker):
    uri = str(tmp_path / "tabla")
    if maker == "somebody":
        write_deltalake(uri, pa.table({"a": [1, 2]}))
    else:
        other = layout_of(tmp_path / "otros", "otra")
        mirror(other, publish_ids(other, "night-01", ["z"]), uri)
    before = DeltaTable(uri).to_pandas()
    with pytest.raises(UsageError, match=r"tabla is a table that job 'prensa' did not make"):
        mirror(layout, publish_ids(layout, "night-01", ["a"]), uri)
    pd.testing.assert_frame_equal(DeltaTable(uri).to_pandas(), before)


def test_a_folder_that_was_restored_from_a_copy_does_not_set_the_table_back(layout, tmp_path):
    uri = str(tmp_path / "tabla")
    mirror(layout, publish_ids(layout, "night-01", ["a"]), uri)
    shutil.copytree(layout.root, tmp_path / "copia" / JOB, symlinks=True)
    copy = layout_of(tmp_path / "copia", JOB)
    for night in (2, 3):
        mirror(layout, publish_ids(layout, f"night-0{night}", ["a", "b"]), uri)
    with pytest.raises(NocturnaError, match=r"holds snapshot 3, but .*copia/prensa is 2"):
        mirror(copy, publish_ids(copy, "night-0x", ["z"]), uri)
    check_equal(uri, layout.results)


def test_a_job_that_starts_anew_takes_its_table_over(layout, tmp_path):
    uri = str(tmp_path / "tabla")
    for snapshot in two_nights(layout):
        mirror(layout, snapshot, uri)
    anew = layout_of(tmp_path / "otro disco", JOB)
    mirror(anew, publish_ids(anew, "night-09", ["z"]), uri)
    check_equal(uri, anew.results)


def test_files_that_left_the_table_are_deleted_a_day_later(layout, uri, monkeypatch):
    one, two = two_nights(layout)
    now = datetime.now().timestamp()
    mirror(layout, one, uri)
    with monkeypatch.context() as patch:
        patch.setattr(tables.time, "time", lambda: now - 23.9 * 3600)
        mirror(layout, two, uri)
    assert mirror(layout, two, uri).version == 1
    assert len(stored(uri)) == 4, "replaced less than a day ago"
    with monkeypatch.context() as patch:
        patch.setattr(tables.time, "time", lambda: now - 24.1 * 3600)
        mirror(layout, publish_ids(layout, "night-03", ["a"]), uri)
    assert len(stored(uri)) == 5
    mirror(layout, current_snapshot(layout), uri)
    assert len(stored(uri)) == 2, "what night 2 removed 23.9 hours ago, and what is in the table"
    check_equal(uri, layout.results)


def test_every_type_that_a_column_can_have_reads_as_it_was(layout, tmp_path):
    kept = {
        "pequeño": pa.array([255, 0], pa.uint8()),
        "medio": pa.array([65535, None], pa.uint16()),
        "grande": pa.array([2**32 - 1, 0], pa.uint32()),
        "mitad": pa.array([1.5, None], pa.float16()),
        "lista": pa.array([[255], []], pa.list_(pa.uint8())),
        "datos": pa.array(
            [{"a": 1, "b": "x"}, None], pa.struct([("a", pa.uint8()), ("b", pa.string())])
        ),
        "bytes": pa.array([b"\x00", None], pa.large_binary()),
        "clase": pa.array(["a", "b"]).dictionary_encode(),
        "dinero": pa.array([None, None], pa.decimal128(12, 2)),
        "día": pa.array([datetime(2026, 1, 1), None], pa.date32()),
        "hora local": pa.array(
            [datetime(2026, 1, 1, 3), None], pa.timestamp("ns", "Europe/Madrid")
        ),
        "nada": pa.nulls(2),
    }
    columns = replace(
        COLUMNS,
        keep=pa.schema([(name, array.type) for name, array in kept.items()]),
        keep_text=True,
        summaries=True,
    )
    schema = results_schema(columns, JOB)
    rows = fitted(rows_of(documents(["a", "b"]), "night-01"), schema)
    values = {**kept, "text": pa.array(["ñandú 😀", None])}
    for name, array in values.items():
        at = schema.get_field_index(name)
        rows = rows.set_column(at, schema.field(at), array.cast(schema.field(at).type))
    part = write_part(rows, layout.work("night-01"), "night-01", 0)
    mirror(layout, publish(layout, "night-01", [part], schema), str(tmp_path / "tabla"))
    found = DeltaTable(tmp_path / "tabla").to_pyarrow_table().sort_by("doc_id")
    assert found.to_pylist() == rows.to_pylist()
    assert found.column_names == schema.names


@pytest.mark.parametrize("kind", [pa.uint64(), pa.time64("us"), pa.list_(pa.uint64())], ids=str)
def test_a_type_that_a_table_cannot_hold_is_said_with_its_column(kind):
    with pytest.raises(UsageError, match=r"column 'raro' is .*leave it out of source\.keep"):
        table_schema(pa.schema([("doc_id", pa.string()), ("raro", kind)]))


def test_a_damaged_part_is_not_put_into_the_table(layout, uri):
    snapshot = publish_ids(layout, "night-01", ["a"])
    part = snapshot.parts[0].path
    part.write_bytes(part.read_bytes()[:-8])
    with pytest.raises(NocturnaError, match=f"{part.name}: a published part was damaged"):
        mirror(layout, snapshot, uri)
    assert not DeltaTable.is_deltatable(uri)


def test_a_bucket_that_does_not_exist_is_one_clear_line(layout, s3):
    snapshot = publish_ids(layout, "night-01", ["a"])
    with pytest.raises(NocturnaError) as error:
        mirror(layout, snapshot, "s3://sin-cubo/tabla/")
    assert str(error.value) == (
        "s3://sin-cubo/tabla: the store refuses: NoSuchBucket: The specified bucket does not exist;"
        " check that the bucket exists and that the environment holds the credentials for it"
    )
    assert not isinstance(error.value, Transient)


def test_credentials_that_the_store_does_not_know_are_one_clear_line(layout, s3, s3_running):
    snapshot = publish_ids(layout, "night-01", ["a"])
    s3_running.open_to(0)
    try:
        with pytest.raises(NocturnaError, match=r"the store refuses: .*credentials") as error:
            mirror(layout, snapshot, s3)
    finally:
        s3_running.open_to(float("inf"))
    assert "\n" not in str(error.value)
    assert "secreta" not in str(error.value)
    assert not isinstance(error.value, Transient)
    mirror(layout, snapshot, s3)
    check_equal(s3, layout.results)


@pytest.mark.parametrize(
    ("unset", "message"),
    [
        ("AWS_ALLOW_HTTP", "tabla: plain HTTP needs AWS_ALLOW_HTTP=true in the environment"),
        ("AWS_ACCESS_KEY_ID", r"the store refuses: no credentials that it takes \(.*\); check"),
    ],
)
def test_settings_that_are_missing_are_one_clear_line(layout, s3, monkeypatch, unset, message):
    monkeypatch.delenv(unset)
    snapshot = publish_ids(layout, "night-01", ["a"])
    with pytest.raises(NocturnaError, match=message) as error:
        mirror(layout, snapshot, s3)
    assert "\n" not in str(error.value)
    assert not isinstance(error.value, Transient)


def test_a_store_that_does_not_answer_may_be_tried_again(layout, s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    snapshot = publish_ids(layout, "night-01", ["a"])
    with pytest.raises(Transient, match=r"tabla: the store does not answer: Conn.* refused"):
        mirror(layout, snapshot, s3)


def test_a_folder_that_cannot_be_written_is_one_clear_line(layout, tmp_path):
    (tmp_path / "tabla").touch()
    snapshot = publish_ids(layout, "night-01", ["a"])
    with pytest.raises(NocturnaError, match=r"tabla: the table cannot be written: ") as error:
        mirror(layout, snapshot, str(tmp_path / "tabla"))
    assert "\n" not in str(error.value)
