"""A key is set in a job file, and all else in it stays, to the byte."""

import pytest
import yaml

from nocturna.tasks.errors import UsageError
from nocturna.tasks.job.job_edit import with_key, write_key

JOB = """\
# el trabajo
name: prensa
source: { path: s3://diario/*.jsonl.gz,   text: cuerpo }   # aquí
scores:                       # as many as wanted
    sentiment: {model: a/b, }  # uno
    topic:
        labels:
        - política   # a
        - 'economía'  # b

        # what it is asked
        template: "Trata de {}."   # c

    # the empty one
    vacio:
    nada: ~   # none
    flow: {}
    long:
        template: |-
            Trata de {}.
    old:
        calibration:
            temperature: 3
            bias: {a: 1}   # d
        model: x
    older: {calibration: {temperature: 2}, model: y}
output:
  dir: out
"""
NAMES = ("sentiment", "topic", "vacio", "nada", "flow", "long", "old", "older")
VALUE = {"temperature": 1.25, "bias": {"política": 0.1, "no": -2.0}}


@pytest.mark.parametrize("line", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("name", NAMES)
def test_a_key_is_set_and_nothing_else_changes(name, line):
    text = JOB.replace("\n", line)
    new = with_key(text, ("scores", name), "calibration", VALUE)
    wanted = yaml.safe_load(text)
    wanted["scores"][name] = {**(wanted["scores"][name] or {}), "calibration": VALUE}
    assert yaml.safe_load(new) == wanted
    kept = [part for part in text.split(line) if part.strip()]
    for part in new.split(line):
        if part in kept:
            kept.remove(part)
    assert len(kept) <= (3 if name == "old" else 1), kept
    assert all("#" not in part or name in part or name == "old" for part in kept)
    assert ("\r" in new) == ("\r" in text)
    again = with_key(new, ("scores", name), "calibration", VALUE)
    assert again == new


def test_a_key_of_another_section_and_one_that_is_a_text_are_set():
    new = with_key(JOB, ("source",), "revision", "1" * 40)
    assert yaml.safe_load(new)["source"]["revision"] == "1" * 40 and "# aquí" in new
    assert with_key(JOB, ("source", "path"), "revision", "1") is None
    assert with_key(JOB, ("nada",), "revision", "1") is None


def test_every_comment_stays():
    text = JOB
    for name in NAMES:
        text = with_key(text, ("scores", name), "calibration", VALUE)
    for comment in ("# el trabajo", "# aquí", "# as many", "# uno", "# a", "# b", "# c", "# none"):
        assert comment in text
    assert "# what it is asked" in text and "# the empty one" in text


@pytest.mark.parametrize(
    "text",
    [
        "name: a\n",
        "scores: {topic: {labels: [a, b]}}\n",
        "scores:\n  topic: &t {labels: [a, b]}\n  other: *t\n",
        "scores: [other]\n",
        "scores: {other: text}\n",
    ],
)
def test_a_score_that_is_not_written_out_is_one_line(tmp_path, text):
    job = tmp_path / "j.yaml"
    job.write_text(text)
    with pytest.raises(UsageError, match=r"scores\.other is not written out") as caught:
        write_key(job, ("scores", "other"), "calibration", VALUE)
    assert "\n" not in str(caught.value) and job.read_text() == text


def test_the_file_keeps_its_mode(tmp_path):
    job = tmp_path / "j.yaml"
    job.write_text(JOB)
    job.chmod(0o640)
    write_key(job, ("scores", "topic"), "calibration", VALUE)
    assert job.stat().st_mode & 0o777 == 0o640 and list(tmp_path.iterdir()) == [job]
