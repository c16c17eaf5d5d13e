import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files, parts
from nocturna.tasks.results.parts import is_whole, write_part
from tests.results.examples import documents, part_of, rows_of

RUN = "20261123T020000-1a2b3c4d"


def test_a_part_is_named_by_run_shard_and_content(layout):
    part = part_of(layout, RUN, 7, documents(["a", "b"]))
    content = part.path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert part.name == f"part-1a2b3c4d-00007-{digest[:8]}.parquet"
    assert (part.rows, part.bytes, part.sha256) == (2, len(content), digest)
    assert [p.name for p in layout.work(RUN).iterdir()] == [part.name]


def test_the_file_settings_are_those_that_were_measured(layout):
    ids = [f"d{i}" for i in range(140_000)]
    one = rows_of(documents(["a"]), RUN)
    many = one.take(pa.array([0] * len(ids)))
    table = many.set_column(0, one.schema.field("doc_id"), pa.array(ids))
    part = write_part(table, layout.work(RUN), RUN, 0)
    meta = pq.ParquetFile(part.path).metadata
    assert [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] == [131_072, 8_928]
    group = meta.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert {c.compression for c in columns.values()} == {"ZSTD"}
    assert all(c.has_offset_index and c.has_column_index for c in columns.values())
    with_dictionary = {n for n, c in columns.items() if c.has_dictionary_page}
    assert {"run_id", "status", "sentiment", "source_uri"} <= with_dictionary
    assert not {"doc_id", "content_hash", "sentiment_pos", "source_row"} & with_dictionary
    assert columns["doc_id"].bloom_filter_offset is not None
    assert columns["content_hash"].bloom_filter_offset is None


def test_descriptions_and_labels_survive_in_the_file(layout):
    part = part_of(layout, RUN, 0, documents(["a"]))
    field = pq.read_schema(part.path).field("topic_politica")
    assert field.metadata[b"label"].decode() == "política"
    assert field.metadata[b"description"]


def test_a_file_that_came_out_shorter_than_asked_is_refused(layout, monkeypatch):
    """Arrow leaves a valid, shorter file when a write is interrupted by an error."""
    real = parts.write_tables

    def interrupted(tables, schema, path):
        real([table.slice(0, 1) for table in tables], schema, path)

    monkeypatch.setattr(parts, "write_tables", interrupted)
    with pytest.raises(NocturnaError, match="holds 1 rows of 3"):
        part_of(layout, RUN, 0, documents(["a", "b", "c"]))
    assert list(layout.work(RUN).glob("*.parquet")) == []


def test_a_file_with_other_columns_than_asked_is_refused(layout, monkeypatch):
    real = parts.write_tables

    def without_topic(tables, schema, path):
        less = [table.drop_columns(["topic"]) for table in tables]
        real(less, less[0].schema, path)

    monkeypatch.setattr(parts, "write_tables", without_topic)
    with pytest.raises(NocturnaError, match="other columns"):
        part_of(layout, RUN, 0, documents(["a"]))


def test_a_file_that_cannot_be_read_back_is_refused(layout, monkeypatch):
    monkeypatch.setattr(
        parts, "write_tables", lambda tables, schema, path: path.write_bytes(b"PAR1")
    )
    with pytest.raises(NocturnaError, match="cannot be read back"):
        part_of(layout, RUN, 0, documents(["a"]))


def test_a_part_is_on_the_disk_before_it_gets_its_name(layout, monkeypatch):
    seen = []
    real_fsync, real_rename = files.fsync, files.rename
    monkeypatch.setattr(files, "fsync", lambda p: (seen.append(("fsync", p)), real_fsync(p)))
    monkeypatch.setattr(
        files, "rename", lambda s, t: (seen.append(("rename", s)), real_rename(s, t))
    )
    part_of(layout, RUN, 0, documents(["a"]))
    renamed = next(i for i, (what, _) in enumerate(seen) if what == "rename")
    assert ("fsync", seen[renamed][1]) in seen[:renamed]
    assert ("fsync", layout.work(RUN)) in seen[renamed:]


def test_the_temporary_name_matches_no_readers_glob(layout):
    temporary = files.temporary_of(layout.work(RUN) / "part-1a2b3c4d-00000")
    temporary.parent.mkdir(parents=True)
    temporary.touch()
    assert list(temporary.parent.glob("*.parquet")) == []


@pytest.mark.parametrize("damage", ["cut", "emptied", "changed", "swapped", "removed"])
def test_damage_to_a_part_is_seen(layout, damage):
    part = part_of(layout, RUN, 0, documents(["a", "b"]))
    other = part_of(layout, RUN, 1, documents(["a", "c"]))
    assert is_whole(part)
    content = part.path.read_bytes()
    if damage == "removed":
        part.path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        part.path.write_bytes(
            {
                "cut": content[:-1],
                "emptied": b"",
                "changed": flipped,
                "swapped": other.path.read_bytes(),
            }[damage]
        )
    assert not is_whole(part)


def test_no_permission_is_one_clear_line(layout, monkeypatch):
    def denied(path, private=False):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "make_folder", denied)
    with pytest.raises(NocturnaError, match=r"permission denied: choose another folder with --out"):
        part_of(layout, RUN, 0, documents(["a"]))
