"""A disk that is full beside the output folder says so, and what to do."""

import errno
from pathlib import Path

import pytest

from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results.ending import cause_of
from nocturna.tasks.store_errors import room_for_a_copy


def fill() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")


@pytest.fixture(autouse=True)
def _a_full_device():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")


def test_no_room_for_a_temporary_copy_names_the_folder():
    said = r"^c\.tar\.gz: no space left in /.* for a copy of it; .* TMPDIR$"
    with pytest.raises(NocturnaError, match=said), room_for_a_copy("c.tar.gz"):
        fill()
    with pytest.raises(PermissionError), room_for_a_copy("c.tar.gz"):
        raise PermissionError(errno.EACCES, "no")


def test_a_full_disk_anywhere_is_one_line_that_says_what_to_do():
    with pytest.raises(OSError) as found:
        fill()
    assert cause_of(found.value).endswith("free some and run the same command again, it resumes")
