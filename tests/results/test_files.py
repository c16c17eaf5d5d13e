import errno
import os

import duckdb
import pytest

from nocturna.tasks.errors import NocturnaError, Transient
from nocturna.tasks.results import files


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "runs" / "manifest.json"
    files.write_whole(path, b"old")

    def fails(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "rename", fails)
    with pytest.raises(OSError, match="No space"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_links_are_put_only_where_nothing_is(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    with pytest.raises(FileExistsError):
        files.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"2"


def test_parts_are_copied_where_links_are_impossible(tmp_path, monkeypatch):
    def impossible(source, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(files, "link", impossible)
    (tmp_path / "a").write_bytes(b"1")
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"1"
    assert (tmp_path / "b").stat().st_ino != (tmp_path / "a").stat().st_ino


def test_removing_a_folder_does_not_follow_links(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "gone" / "sub").mkdir(parents=True)
    (tmp_path / "gone" / "sub" / "file").touch()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    files.remove_folder(tmp_path / "gone")
    files.remove_folder(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()
    assert (tmp_path / "kept" / "file").exists()


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (errno.ENOSPC, NocturnaError, "free some and run the same command again"),
        (errno.EROFS, NocturnaError, "choose another folder with --out"),
        (errno.EIO, Transient, "Input/output error"),
    ],
)
def test_storage_errors_are_one_line(tmp_path, number, kind, advice):
    with pytest.raises(NocturnaError) as caught, files.clear_errors(tmp_path):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert advice in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_disk_under_duckdb_is_the_same_line(tmp_path):
    with (
        pytest.raises(NocturnaError, match="free some") as caught,
        files.clear_errors(tmp_path),
        duckdb.connect() as database,
    ):
        database.execute("COPY (SELECT 1) TO '/dev/full' (FORMAT parquet)")
    assert type(caught.value) is NocturnaError


def test_other_errors_of_duckdb_are_left_as_they_are(tmp_path):
    with (
        pytest.raises(duckdb.Error),
        files.clear_errors(tmp_path),
        duckdb.connect() as database,
    ):
        database.execute("SELECT nothing")


def test_other_errors_are_left_as_they_are(tmp_path):
    with pytest.raises(IsADirectoryError), files.clear_errors(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
