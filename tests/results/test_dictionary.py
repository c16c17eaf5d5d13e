import pytest

from nocturna.tasks.errors import UsageError
from nocturna.tasks.results.dictionary import data_dictionary
from tests.results.examples import SCHEMA, publish_ids


def test_the_dictionary_explains_every_column_of_the_files(layout):
    publish_ids(layout, "night-1", ["a"])
    notes = data_dictionary(layout.root)
    assert [note.name for note in notes] == SCHEMA.names
    assert all(note.meaning for note in notes)
    topic = next(note for note in notes if note.name == "topic_computacion_e_ia")
    assert (topic.type, topic.unit, topic.label) == ("float", "0 to 1", "computación e IA")
    assert next(note for note in notes if note.name == "doc_id").unit is None


def test_results_a_snapshot_and_a_file_have_the_same_dictionary(layout):
    snapshot = publish_ids(layout, "night-1", ["a"])
    expected = data_dictionary(layout.root)
    for place in (layout.results, layout.snapshot(1), snapshot.parts[0].path):
        assert data_dictionary(place) == expected


def test_a_folder_without_results_is_one_clear_line(tmp_path):
    with pytest.raises(UsageError, match="no results here; name the output folder of a job"):
        data_dictionary(tmp_path)


def test_a_file_that_is_not_parquet_is_one_clear_line(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"no")
    with pytest.raises(UsageError, match="not a Parquet file"):
        data_dictionary(path)
