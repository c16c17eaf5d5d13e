"""A deviation is measured once, kept, and refreshed by a small share of the scoring time."""

import json
from pathlib import Path

import pytest

from nocturna.tasks.run import deviation

pytestmark = pytest.mark.usefixtures("engine")
DOCUMENTS = 90


@pytest.mark.slow
def test_a_deviation_is_kept_and_refreshed(nocturna, small_models, tmp_path, monkeypatch):
    monkeypatch.setenv("NOCTURNA_CACHE", str(tmp_path / "cache"))
    corpus = tmp_path / "c.jsonl"
    rows = [{"id": f"{i}", "text": f"texto número {i} de la prueba"} for i in range(DOCUMENTS)]
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--id", "id", "--sentiment-model", small_models["sentiment"], "--precision", "int8")

    def night(name: str = "c") -> dict:
        done = nocturna("score", corpus, *options, "--name", name, "--full", "--json")
        assert done.code == 0, done.err
        story = nocturna("runs", "show", done.json["run_id"])
        assert ", measured since 20" in story.out and "\n             tonight on " in story.out
        manifest = tmp_path / "out" / name / "runs" / done.json["run_id"] / "manifest.json"
        return json.loads(manifest.read_text())["deviation"]

    first = night()
    assert first["documents"] == first["tonight"]["documents"] == deviation.LEAST
    assert 0 < first["largest"] < 0.3

    asked = []

    def measured(layout, plan, wanted):
        asked.append(wanted)
        return deviation.Deviation(0.25, 1, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(deviation, "_measured", measured)
        second = night("another")
        assert second == {**first, "tonight": None} and not asked, "measured in a short night"
        (kept,) = (tmp_path / "cache" / "deviations").iterdir()
        saved = deviation._read(kept)
        assert saved is not None and 0 < saved.saved < deviation.FEWEST * saved.seconds_each
        deviation.keep_cached(
            kept,
            deviation._KEPT.dump_json(
                deviation.replace(saved, saved=(deviation.FEWEST + 0.5) * saved.seconds_each)
            ),
        )
        third = night()
    (wanted,) = asked
    assert deviation.FEWEST <= wanted < 2 * deviation.FEWEST, "and what this night saved itself"
    assert third["documents"] == deviation.LEAST + wanted
    assert third["largest"] == max(0.25, first["largest"])
    assert third["changed_top"] == first["changed_top"] + 1 and third["since"] == first["since"]

    damaged(kept)
    again = night()
    assert again["documents"] == deviation.LEAST, "a damaged note was believed"


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])
