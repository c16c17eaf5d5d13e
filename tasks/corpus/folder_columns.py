"""Columns that are the names of folders, as Hive has them: `day=2024-05-02/part-0.csv`."""

from pathlib import PurePosixPath
from urllib.parse import unquote

from nocturna.tasks.addresses import member_of
from nocturna.tasks.corpus.input_files import InputFile

_NULL = "__HIVE_DEFAULT_PARTITION__"


def folder_columns(item: InputFile) -> dict[str, str | None]:
    """What the folders of an input say of all of its rows; a column of the file itself goes before.

    An archive is no folder.

    >>> folder_columns(InputFile("", "csv", None, 0, "", "day=2024-05-02/zone=a%2Fb/0.csv"))
    {'day': '2024-05-02', 'zone': 'a/b'}
    """
    archive = PurePosixPath((member_of(item.uri) or ("", "", ""))[2]).name
    folders = [part for part in item.name.split("/")[:-1] if part != archive]
    parts = [part.partition("=") for part in folders]
    found = {unquote(name): unquote(value) for name, mark, value in parts if name and mark}
    return {name: None if value == _NULL else value for name, value in found.items()}
