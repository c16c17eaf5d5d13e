"""The description of a job: every wrong key gets one clear line."""

import re

import pytest

from flows.options import job_options, job_values, merged
from tasks.errors import UsageError
from tasks.job import Job
from tasks.job_file import job_name_of, make_job, read_job_values
from tasks.naming import slug

BASE = {"name": "prensa", "source": {"path": "a.jsonl"}}


def job(**values) -> Job:
    return make_job({**BASE, **values}, "prensa.yaml")


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"colour": 1}, ["colour", "unknown key"]),
        ({"source": {"path": "a", "txet": "t"}}, ["source.txet", "unknown key"]),
        ({"source": {}}, ["source", "`path` or `dataset`"]),
        ({"source": {"path": "a", "dataset": "b"}}, ["source", "not both"]),
        ({"zero_shot": {"labels": []}}, ["zero_shot.labels", "empty"]),
        ({"zero_shot": {"labels": "  , "}}, ["zero_shot.labels", "empty"]),
        ({"zero_shot": {}}, ["zero_shot.labels", "missing"]),
        ({"zero_shot": {"labels": ["a", "a"]}}, ["zero_shot.labels", "'a'", "twice"]),
        (
            {"zero_shot": {"labels": ["Política", "politica"]}},
            ["zero_shot.labels", "'Política'", "'politica'", "topic_politica"],
        ),
        ({"zero_shot": {"labels": ["¿?"]}}, ["zero_shot.labels", "no letter or digit"]),
        ({"zero_shot": {"labels": ["Score"]}}, ["zero_shot.labels", "topic_score", "taken"]),
        (
            {"zero_shot": {"labels": ["a"], "model": "m", "template": "Trata de eso."}},
            ["zero_shot.template", "{}"],
        ),
        (
            {"zero_shot": {"labels": ["a"], "model": "m", "template": "{} y {}"}},
            ["zero_shot.template", "exactly one {}"],
        ),
        ({"zero_shot": {"labels": ["a"], "method": "nli"}}, ["zero_shot", "needs an NLI model"]),
        ({"zero_shot": {"labels": ["a"], "multi_label": True}}, ["zero_shot", "multi_label"]),
        (
            {"zero_shot": {"labels": ["a", "b"], "shortlist": 1}},
            ["zero_shot", "shortlist", "needs method nli"],
        ),
        (
            {"zero_shot": {"labels": ["a"], "model": "m", "method": "embedding", "shortlist": 1}},
            ["zero_shot", "shortlist", "needs method nli"],
        ),
        (
            {"zero_shot": {"labels": ["a"], "model": "m", "shortlist": 0}},
            ["zero_shot.shortlist", "greater than or equal to 1"],
        ),
        (
            {"zero_shot": {"labels": ["a"], "model": "m", "shortlist_model": "e"}},
            ["zero_shot", "shortlist_model", "how many labels"],
        ),
        ({"sentiment": {"enabled": False}}, ["nothing to score"]),
        ({"quality": {"max_failed": 2}}, ["quality.max_failed", "less than or equal to 1"]),
        (
            {"quality": {"warn_only": ["max_faild"]}},
            ["quality.warn_only", "'max_faild'", "max_failed", "topic_shift", "language_shift"],
        ),
        ({"quality": {"warn_only": ["accounting"]}}, ["quality.warn_only", "'accounting' is no"]),
        (
            {"language": "spa", "quality": {"max_other_language": 0.1}},
            ["quality.max_other_language", "two letters", "'spa'"],
        ),
        ({"name": "../x"}, ["name"]),
        ({"source": {"path": "ca\udcff.jsonl"}}, ["source.path", "\\udcff", "not UTF-8"]),
        ({"zero_shot": {"labels": ["a", "\udcff"]}}, ["zero_shot.labels", "not UTF-8"]),
        ({"language": "español"}, ["language"]),
    ],
)
def test_a_wrong_value_is_one_line_with_file_and_key(values, parts):
    with pytest.raises(UsageError) as caught:
        job(**values)
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.exit_code == 2
    for part in ["prensa.yaml", *parts]:
        assert part in message


UNDERSTOOD = {
    "política, computación ,estadística": ("política", "computación", "estadística"),
    "a;b": ("a", "b"),
    "a\nb\r\n": ("a", "b"),
    "a,\n b\n": ("a", "b"),
    "a\tb": ("a", "b"),
    "- a\n- b": ("a", "b"),
    "a，b、c": ("a", "b", "c"),
    '["a", "b"]': ("a", "b"),
    "['a','b', ]": ("a", "b"),
    "[a, b]": ("a", "b"),
    "('a', 'b')": ("a", "b"),
    '["pol\\u00edtica", "dice \\"no\\""]': ("política", 'dice "no"'),
    "['l\\'Hospitalet', b]": ("l'Hospitalet", "b"),
    '"economía, finanzas", b': ("economía, finanzas", "b"),
    "“a; a”; ‘b’": ("a; a", "b"),
    "[red]alerta,normal": ("[red]alerta", "normal"),
    "[link=x]a,b [bold]": ("[link=x]a", "b [bold]"),
    "tasas (pib, paro), b": ("tasas (pib, paro)", "b"),
    "l'Hospitalet,b": ("l'Hospitalet", "b"),
    "\x1b]0;hola\x07\x1b[31mrojo,normal": ("\x1b]0;hola\x07\x1b[31mrojo", "normal"),
    "\x1b[31mrojo,normal": ("\x1b[31mrojo", "normal"),
}
REFUSED = {
    "a,,b": "'a', '', 'b'",
    "a;b,c": "both , and ;",
    "a b c": "understood as one, 'a b c'",
    "a|b": "understood as one, 'a|b'",
    '"a,b"': "understood as one, 'a,b'",
    "a,b,a": "'a' is given twice",
    "Salud,salud": "both become the column topic_salud",
    "salud,SALUD ": "both become the column topic_salud",
    "['a' 'b']": "after the quoted 'a'",
    '["a", "b"': "does not end as one",
    '"a","b"]': "after the quoted 'b'",
    "[['a'], ['b']]": "a list in a list",
    "Index(['a', 'b'], dtype=object)": "a list in a list",
    "'t Hart, b": "is not closed",
    "[]": "empty",
}
REFUSED_VALUES = {
    "[si, no]": "false is no text: YAML reads yes, no",
    "[a, 2024]": "2024 is a number",
    "[a, null]": "null is no text",
    "[a, [b, c]]": "['b', 'c'] is a list",
    "[a, {b: c}]": "is a mapping",
    "[a, ' ']": "is empty",
    "[a, 2024-01-01]": "2024-01-01 is a date",
    "{a: 1, b: 2}": "is a mapping",
    "5": "5 is a number",
    '["a\\nb", c]': "more than one line",
    "['a,b']": "understood as one, 'a,b'",
    "": "empty",
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_labels_may_be_one_text_on_the_command_line_and_in_a_file(text):
    assert job(zero_shot={"labels": text}).zero_shot.labels == UNDERSTOOD[text]
    given = merged(BASE, job_values({"labels_": [text]}))
    assert make_job(given, "options").zero_shot.labels == UNDERSTOOD[text]


@pytest.mark.parametrize("text", REFUSED)
def test_labels_that_could_mean_two_things_are_refused_as_they_were_understood(text):
    with pytest.raises(UsageError, match=re.escape(REFUSED[text])) as in_file:
        job(zero_shot={"labels": text})
    assert str(in_file.value).startswith("prensa.yaml: zero_shot")
    with pytest.raises(UsageError, match=re.escape(REFUSED[text])) as by_option:
        make_job(merged(BASE, job_values({"labels_": [text]})), "nocturna score")
    assert "\n" not in f"{in_file.value}{by_option.value}"


@pytest.mark.parametrize("written", REFUSED_VALUES)
def test_what_yaml_reads_as_something_else_than_texts_is_refused(tmp_path, written):
    path = tmp_path / "prensa.yaml"
    path.write_text(f"source: {{path: a}}\nzero_shot:\n  labels: {written}\n", "utf-8")
    with pytest.raises(UsageError, match=re.escape(REFUSED_VALUES[written])):
        make_job(read_job_values(path), "prensa.yaml")


def test_a_list_that_is_given_more_than_once_is_one_list():
    values = job_values({"labels_": ["a,b", "c; d"], "keep_": ["fecha", "autor,fecha"]})
    found = make_job(merged(BASE, values), "options")
    assert found.zero_shot.labels == ("a", "b", "c", "d")
    assert found.source.keep == ("fecha", "autor")


def test_one_label_by_itself_is_asked_for():
    topics = {"labels": ["salud"], "model": "m"}
    assert job(zero_shot={**topics, "multi_label": True}).zero_shot.labels == ("salud",)
    with pytest.raises(UsageError, match="`multi_label`"):
        job(zero_shot=topics)


def test_checks_that_only_warn_may_be_one_text_with_commas():
    found = job(quality={"warn_only": "max_failed, language_shift"})
    assert found.quality.warn_only == ("max_failed", "language_shift")


def test_a_job_is_the_same_after_a_round_trip_through_json():
    first = job(zero_shot={"labels": ["a", "b"]}, output={"keep_text": True}, shard_size=7)
    assert Job.model_validate_json(first.model_dump_json()) == first


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"source: [", ["job.yaml, line 1", "not valid YAML"]),
        (b"- a\n- b\n", ["job.yaml", "mapping"]),
        (b"\xff\xfe\x00", ["job.yaml"]),
        (b"name: caf\xe9", ["job.yaml", "not UTF-8"]),
    ],
)
def test_a_file_that_is_no_job_is_one_line(tmp_path, content, parts):
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        make_job(read_job_values(path), str(path))
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


def test_a_missing_job_file_says_so(tmp_path):
    with pytest.raises(UsageError, match="cannot read the job file"):
        read_job_values(tmp_path / "none.yaml")


def test_sources_and_local_models_are_relative_to_the_job_file(tmp_path):
    (tmp_path / "jobs" / "model").mkdir(parents=True)
    path = tmp_path / "jobs" / "prensa.yaml"
    path.write_text("source: {path: ../a.jsonl}\nsentiment: {model: model}\n", encoding="utf-8")
    values = read_job_values(path)
    assert values["source"]["path"] == str(tmp_path / "a.jsonl")
    assert values["sentiment"]["model"] == str(tmp_path / "jobs" / "model")
    assert values["name"] == "prensa"


def test_uris_and_hub_names_stay_as_they_are(tmp_path):
    path = tmp_path / "prensa.yaml"
    path.write_text("source: {path: 's3://b/a.jsonl'}\nsentiment: {model: org/name}\n")
    values = read_job_values(path)
    assert values["source"]["path"] == "s3://b/a.jsonl"
    assert values["sentiment"]["model"] == "org/name"


def test_every_option_sets_the_field_that_it_was_made_from():
    given = {
        "labels_": ["a,b"],
        "topic_model_": "m",
        "keep_text_": True,
        "shard_size_": 5,
        "text_": "t",
    }
    values = merged(BASE, job_values(given))
    found = make_job(values, "options")
    assert found.zero_shot.labels == ("a", "b")
    assert found.zero_shot.model == "m"
    assert found.output.keep_text is True
    assert found.shard_size == 5
    assert found.source.text == "t"
    assert found.source.path == "a.jsonl"


def test_options_have_distinct_flags_and_say_what_they_do():
    options = job_options()
    flags = [option.flag for option in options]
    assert len(flags) == len(set(flags)) > 20
    assert all(option.help for option in options)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/samples/opiniones.jsonl", "opiniones"),
        ("s3://bucket/Año 2024/notas.csv.gz", "notas"),
        ("org/data-set", "data-set"),
        ("folder/", "folder"),
        ("¡!", "corpus"),
    ],
)
def test_job_names_come_from_the_source(source, name):
    assert job_name_of(source) == name


@pytest.mark.parametrize(
    ("label", "column"),
    [("Política", "politica"), ("Computación e IA", "computacion_e_ia"), ("ñandú!", "nandu")],
)
def test_slugs_are_plain_column_names(label, column):
    assert slug(label) == column
