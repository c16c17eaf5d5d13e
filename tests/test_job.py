"""The description of a job: every wrong key gets one clear line."""

import re

import pytest
import yaml

from nocturna.options import job_options, job_values, merged, with_scores
from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job import Job
from nocturna.tasks.job.job_file import job_name_of, make_job, read_job_values
from nocturna.tasks.naming import slug

BASE = {"name": "prensa", "source": {"path": "a.jsonl"}}


def job(**values) -> Job:
    return make_job({**BASE, **values}, "prensa.yaml")


def read(folder, text):
    path = folder / "prensa.yaml"
    path.write_text(text)
    return make_job(read_job_values(path), str(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scores: {a: {model: m}}\nscores: {b: {model: m}}\n", "line 2: .*'scores' is there twice"),
        ("scores:\n  a: {model: m}\n  a: {model: n}\n", "line 3: .*'a' is there twice"),
        ("summaries: {max_usd: 1:30}\n", "summaries.max_usd: .*valid number"),
        ("summaries: {max_usd: yes}\n", "summaries: max_usd: true is no number"),
        ("retention: {snapshots: 010}\n", "retention: snapshots: 010 is no number"),
        ("retention: {snapshot_hours: .inf}\n", "retention.snapshot_hours: .*finite"),
        ("retention: {work_days: 99999999999}\n", "retention.work_days: .*36500"),
        ("source: &s {path: t, id: *s}\n", r"line 1: .*\*s stands inside of what it names"),
        ("source: " + "[" * 3000 + "]" * 3000 + "\n", "line 1: .*nested more than 50 deep"),
        (
            "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9 * (n > 0)}]\n" for n in range(12)),
            r"line 7: .*\*a5 repeats too much",
        ),
        ("source: {since: 2026-13-45}\n", "line 1: not valid YAML: month must be in 1..12"),
        ('source: {path: "a\\0b"}\n', "source.path: 'a.x00b' holds a NUL character"),
    ],
)
def test_what_yaml_reads_as_nobody_means_it_is_refused_in_a_line(tmp_path, text, said):
    with pytest.raises(UsageError, match=said) as caught:
        read(tmp_path, text if "source" in text else text + "source: {path: a.jsonl}\n")
    assert "\n" not in str(caught.value)


def test_merged_keys_of_a_job_file_may_be_written_over(tmp_path):
    text = (
        "source: {path: a.jsonl}\nscores:\n  uno: &m {model: m, threshold: 0.5}\n"
        "  dos: {<<: *m, threshold: 0.25}\n"
    )
    found = read(tmp_path, text)
    assert [score.threshold for score in found.scores.values()] == [0.5, 0.25]


def topic(**options) -> dict:
    return {"scores": {"topic": options}}


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"colour": 1}, ["colour", "unknown key"]),
        ({"source": {"path": "a", "txet": "t"}}, ["source.txet", "unknown key"]),
        ({"source": {}}, ["source", "`path` or `dataset`"]),
        ({"source": {"path": "a", "dataset": "b"}}, ["source", "not both"]),
        (topic(labels=[]), ["scores.topic.labels", "empty"]),
        (topic(labels="  , "), ["scores.topic.labels", "empty"]),
        (topic(labels=None), ["scores.topic", "`labels` or `labels_column`"]),
        (topic(labels=["a", "a"]), ["scores.topic.labels", "'a'", "twice"]),
        (
            topic(labels=["Política", "politica"]),
            ["scores.topic.labels", "'Política'", "'politica'", "_politica"],
        ),
        (topic(labels=["¿?"]), ["scores.topic.labels", "no letter or digit"]),
        (topic(labels=["Score"]), ["scores.topic.labels", "_score", "taken"]),
        (
            topic(labels=["a"], model="m", template="Trata de eso."),
            ["scores.topic.template", "{}"],
        ),
        (
            topic(labels=["a"], model="m", template="{} y {}"),
            ["scores.topic.template", "exactly one {}"],
        ),
        (topic(labels=["a", "b"], kind="nli", model="bundled"), ["scores.topic", "an NLI model"]),
        (topic(labels=["a", "b"], shortlist=1), ["scores.topic", "shortlist", "kind: nli"]),
        (
            topic(labels=["a"], model="m", kind="embedding", shortlist=1),
            ["scores.topic", "shortlist", "kind: nli"],
        ),
        (
            topic(labels=["a"], model="m", shortlist=0),
            ["scores.topic.shortlist", "greater than or equal to 1"],
        ),
        (
            topic(labels=["a"], model="m", shortlist_model="e"),
            ["scores.topic", "shortlist_model", "how many labels"],
        ),
        (topic(labels=["a", "b"], labels_column="c"), ["scores.topic", "either `labels`"]),
        (topic(labels={"a": 1}), ["scores.topic.labels.a", "valid string"]),
        (topic(kind="mood"), ["scores.topic", "mood", "'classifier'", "'nli'"]),
        ({"compute": {"backend": "onnx"}}, ["compute.backend", "'auto'", "'torch'"]),
        (topic(template="Es {}."), ["scores.topic.template", "unknown key"]),
        ({"scores": {"Topic": {}}}, ["scores.Topic"]),
        ({"scores": {}}, ["nothing to score"]),
        ({"quality": {"max_failed": 2}}, ["quality.max_failed", "less than or equal to 1"]),
        (
            {"quality": {"warn_only": ["max_faild"]}},
            ["quality.warn_only", "'max_faild'", "max_failed", "sentiment_shift", "language_shift"],
        ),
        ({"quality": {"warn_only": ["accounting"]}}, ["quality.warn_only", "'accounting' is no"]),
        (
            {"language": "spa", "quality": {"max_other_language": 0.1}},
            ["quality.max_other_language", "two letters", "'spa'"],
        ),
        ({"name": "../x"}, ["name"]),
        ({"source": {"path": "ca\udcff.jsonl"}}, ["source.path", "\\udcff", "not UTF-8"]),
        (topic(labels=["a", "\udcff"]), ["scores.topic.labels", "not UTF-8"]),
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
    "Salud,salud": "both become the column ..._salud",
    "salud,SALUD ": "both become the column ..._salud",
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
    "5": "5 is a number",
    '["a\\nb", c]': "more than one line",
    "['a,b']": "understood as one, 'a,b'",
    "": "give either `labels` or `labels_column`",
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_labels_may_be_one_text_on_the_command_line_and_in_a_file(text):
    assert job(**topic(labels=text)).scores["topic"].labels == UNDERSTOOD[text]
    assert optioned(labels_=[text]).scores["topic"].labels == UNDERSTOOD[text]


@pytest.mark.parametrize("text", REFUSED)
def test_labels_that_could_mean_two_things_are_refused_as_they_were_understood(text):
    with pytest.raises(UsageError, match=re.escape(REFUSED[text])) as in_file:
        job(**topic(labels=text))
    assert str(in_file.value).startswith("prensa.yaml: scores.topic")
    with pytest.raises(UsageError, match=re.escape(REFUSED[text])) as by_option:
        optioned(labels_=[text])
    assert "\n" not in f"{in_file.value}{by_option.value}"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"name": "mi corpus"}, "name: 'mi corpus' is there; use letters without accents, digits"),
        ({"language": "español"}, "language: 'español' is there; use two or three small letters"),
        ({"scores": {"Emoción": {}}}, "scores.Emoción: 'Emoción' is there; use small letters"),
        ({"summaries": {"model": "mi modelo"}}, "summaries.model: 'mi modelo' is there; use small"),
        ({"summaries": {"language": "ES"}}, "summaries.language: 'ES' is there; use two or three"),
    ],
)
def test_a_name_that_is_spelt_otherwise_is_told_in_words(written, said):
    with pytest.raises(UsageError, match=re.escape(f"prensa.yaml: {said}")) as caught:
        make_job({"name": "prensa", "source": {"path": "a"}} | written, "prensa.yaml")
    assert "^" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("notify: https://hooks.example/T0/secret", "notify: a text is there; write a list"),
        ("notify: {url_env: SLACK}", "notify: a mapping is there; write a list, with `- ` before"),
        (
            "notify: [https://hooks.example/secret]",
            "notify.0: a text is there; write a mapping, a "
            "line `key: value` for each key (url_env, url_file, events)",
        ),
        ("notify: [{url_env: S, events: fail}]", "notify.0.events.0: Input should be 'failure', "),
        ("output:", "output: nothing is there; write a mapping, a line `key: value` for each key"),
        ("summaries: 5", "summaries: a number is there; write a mapping"),
        ("scores: {topic: [a, b]}", "scores.topic: a list is there; write a mapping"),
        ("scores: {topic: {labels: [a], when: es}}", "scores.topic.when: a text is there; write"),
    ],
)
def test_a_value_of_another_kind_is_told_without_it(tmp_path, written, said):
    path = tmp_path / "prensa.yaml"
    path.write_text(f"source: {{path: a}}\n{written}\n", "utf-8")
    with pytest.raises(UsageError, match=re.escape(f"prensa.yaml: {said}")) as caught:
        make_job(read_job_values(path), "prensa.yaml")
    assert "secret" not in str(caught.value) and str(caught.value).count(";") <= 1


@pytest.mark.parametrize("written", REFUSED_VALUES)
def test_what_yaml_reads_as_something_else_than_texts_is_refused(tmp_path, written):
    path = tmp_path / "prensa.yaml"
    path.write_text(f"source: {{path: a}}\nscores:\n  topic: {{labels: {written}}}\n", "utf-8")
    with pytest.raises(UsageError, match=re.escape(REFUSED_VALUES[written])):
        make_job(read_job_values(path), "prensa.yaml")


def test_a_list_that_is_given_more_than_once_is_one_list():
    found = optioned(labels_=["a,b", "c; d"], keep_=["fecha", "autor,fecha"])
    assert found.scores["topic"].labels == ("a", "b", "c", "d")
    assert found.source.keep == ("fecha", "autor")


def test_one_label_by_itself_is_asked_for():
    alone = {"labels": ["salud"], "model": "m"}
    found = job(**topic(**alone, multi_label=True))
    assert found.scores["topic"].labels == ("salud",)
    with pytest.raises(UsageError, match="`multi_label`"):
        job(**topic(**alone))


def test_checks_that_only_warn_may_be_one_text_with_commas():
    found = job(quality={"warn_only": "max_failed, language_shift"})
    assert found.quality.warn_only == ("max_failed", "language_shift")


def test_a_job_is_the_same_after_a_round_trip_through_json():
    scores = {
        "sentiment": {"labels": {"POS": "bien"}},
        "topic": {"labels": ["a", "b"]},
        "own": {"labels_column": "candidatos", "when": {"language": "es", "topic": ["a"]}},
    }
    first = job(scores=scores, output={"keep_text": True}, shard_size=7)
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
    path.write_text(
        "source: {path: ../a.jsonl}\nscores: {sentiment: {model: model}}\n", encoding="utf-8"
    )
    values = read_job_values(path)
    assert values["source"]["path"] == str(tmp_path / "a.jsonl")
    assert values["scores"]["sentiment"]["model"] == str(tmp_path / "jobs" / "model")
    assert values["name"] == "prensa"


def test_uris_and_hub_names_stay_as_they_are(tmp_path):
    path = tmp_path / "prensa.yaml"
    path.write_text("source: {path: 's3://b/a.jsonl'}\nscores: {sentiment: {model: org/name}}\n")
    values = read_job_values(path)
    assert values["source"]["path"] == "s3://b/a.jsonl"
    assert values["scores"]["sentiment"]["model"] == "org/name"


def optioned(more=(), base=BASE, **given) -> Job:
    """The job of a file's values with options on top."""
    values, chosen = dict(base), job_values(given)
    with_scores(values, chosen, more)
    return make_job(merged(values, chosen), "nocturna score")


def test_every_option_sets_the_field_that_it_was_made_from():
    found = optioned(labels_=["a,b"], topic_model_="m", keep_text_=True, shard_size_=5, text_="t")
    assert list(found.scores) == ["sentiment", "topic"]
    assert found.scores["topic"].labels == ("a", "b")
    assert found.scores["topic"].model == "m"
    assert found.output.keep_text is True
    assert found.shard_size == 5
    assert found.source.text == "t"
    assert found.source.path == "a.jsonl"


def test_options_about_scores_come_on_top_of_those_of_the_job():
    assert list(optioned().scores) == ["sentiment"]
    assert list(optioned(sentiment_=False, labels_=["a,b"]).scores) == ["topic"]
    more = optioned(["emotion=org/m", "urgency=ya, puede esperar"])
    assert list(more.scores) == ["sentiment", "emotion", "urgency"]
    assert more.scores["emotion"].model == "org/m" and more.scores["emotion"].kind == "classifier"
    assert more.scores["urgency"].labels == ("ya", "puede esperar")
    described = {**BASE, "scores": {"topic": {"labels": ["a", "b"], "model": "m"}}}
    found = optioned(base=described, labels_=["x,y"], template_="Es {}.")
    assert list(found.scores) == ["topic"]
    assert found.scores["topic"].labels == ("x", "y") and found.scores["topic"].model == "m"
    assert described["scores"]["topic"]["labels"] == ["a", "b"]


@pytest.mark.parametrize(
    ("more", "given", "parts"),
    [
        (["mood"], {}, ["--score 'mood'", "NAME=MODEL"]),
        (["=m"], {}, ["--score '=m'"]),
        (["mood="], {}, ["--score 'mood='"]),
        ([], {"topic_model_": "m"}, ["--topic-model", "--labels"]),
        ([], {"sentiment_": False}, ["nothing to score"]),
        ([], {"labels_": ["a,b"], "method_": "mood"}, ["scores.topic", "mood"]),
    ],
)
def test_options_about_scores_that_cannot_be_are_one_line(more, given, parts):
    with pytest.raises(UsageError) as caught:
        optioned(more, **given)
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


OLD_FORMS = {
    "zero_shot: {labels: [a, b]}": {"sentiment": {}, "topic": {"labels": ["a", "b"]}},
    "sentiment: {enabled: false}\nzero_shot: {labels: 'a,b', method: embedding, model: m}": {
        "topic": {"labels": ["a", "b"], "kind": "embedding", "model": "m"}
    },
    "sentiment: {model: org/m, revision: main}": {
        "sentiment": {"model": "org/m", "revision": "main"}
    },
}


@pytest.mark.parametrize("old", OLD_FORMS)
def test_the_form_of_version_0_1_is_read_and_said_in_the_new_one(tmp_path, caplog, old):
    path = tmp_path / "prensa.yaml"
    path.write_text(f"source: {{path: a.jsonl}}\n{old}\n", encoding="utf-8")
    with caplog.at_level("WARNING", "nocturna.tasks"):
        found = make_job(read_job_values(path), "prensa.yaml")
    assert found.scores == job(scores=OLD_FORMS[old]).scores
    (said,) = caplog.records
    shown = said.getMessage().partition(" now written as ")[2]
    assert make_job({**BASE, **yaml.safe_load(shown)}, "shown").scores == found.scores


@pytest.mark.parametrize(
    ("old", "part"),
    [
        ("zero_shot: {model: m}", "`labels` or `labels_column`"),
        ("zero_shot: [a, b]", "zero_shot: unknown key; describe what to score under `scores`"),
        ("sentiment: {enabled: false}", "nothing to score"),
    ],
)
def test_the_form_of_version_0_1_has_its_refusals(tmp_path, old, part):
    path = tmp_path / "prensa.yaml"
    path.write_text(f"source: {{path: a.jsonl}}\n{old}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=re.escape(part)):
        make_job(read_job_values(path), "prensa.yaml")


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


def test_a_source_may_be_several_paths(tmp_path):
    path = tmp_path / "jobs" / "prensa.yaml"
    path.parent.mkdir()
    path.write_text("source: {path: [../a, 's3://u:p@b/c?x=1', ../a], include: '*.csv'}\n")
    found = make_job(read_job_values(path), str(path)).source
    assert found.path == (str(tmp_path / "a"), "s3://b/c")
    assert found.addresses == (str(tmp_path / "a"), "s3://u:p@b/c?x=1")
    assert (found.place, found.include) == (f"{tmp_path / 'a'}, s3://b/c", ("*.csv",))
    assert job(source={"path": ["a"]}).source.path == "a"
    for paths, line in (([], "empty list"), (["https://h/a?k=1", "https://h/a?k=2"], "query only")):
        with pytest.raises(UsageError, match=line):
            job(source={"path": paths})
