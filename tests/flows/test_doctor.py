"""`nocturna doctor`: what the machine has, said without a step outside of it."""

import shutil

import pytest
from packaging.requirements import Requirement

from nocturna.checkup import FINE, NOTE, WRONG, packages_there
from nocturna.tasks.inference import models
from tests.fake_hub import fake_hub

SECRET = "clave-9917"


def findings(done) -> dict[str, dict]:
    return {one["about"]: one for one in done.json["findings"]}


@pytest.fixture(autouse=True)
def no_engine(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def test_a_machine_that_runs_these_tests_is_fine(nocturna, monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    done = nocturna("doctor", "--json")
    assert done.code == 0 and SECRET not in done.out + done.err
    found = findings(done)
    wanted = {"python", "packages", "processor", "models run on", "memory", "disk", "output"}
    assert wanted | {"models", "hub", "summaries", "engine"} <= set(found)
    assert "not asked" in found["hub"]["said"] and found["engine"]["state"] == FINE
    assert found["summaries"]["said"] == "GEMINI_API_KEY is set"
    assert nocturna("doctor").out.count("\n") == len(done.json["findings"])


def test_what_would_fail_a_night_ends_with_1(nocturna, tmp_path):
    (tmp_path / "out").write_text("in the way")
    done = nocturna("doctor", "--json")
    found = [one for one in done.json["findings"] if one["state"] == WRONG]
    assert done.code == 1 and [one["about"] for one in found] == ["output"]
    assert found[0]["todo"] == "name another folder with --out"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no-such-package-of-ours", "no-such-package-of-ours (not installed)"),
        ("duckdb<0.1", "duckdb<0.1 (2"),
    ],
)
def test_a_package_that_is_lacking_or_another_is_wrong(line, said):
    found = packages_there([Requirement("pyarrow"), Requirement(line)])
    assert found.state == WRONG and found.said.startswith(said)
    assert found.todo == f'pip install "{line}"'
    assert packages_there([Requirement("pyarrow")]).state == FINE


def test_a_bundled_model_that_lacks_what_it_shares_is_wrong(nocturna, tmp_path, monkeypatch):
    shutil.copytree(models.BUNDLED_FOLDER, tmp_path / "models", symlinks=True)
    whole = {kind: tmp_path / "models" / f.name for kind, f in models.BUNDLED_MODELS.items()}
    monkeypatch.setattr(models, "BUNDLED_MODELS", whole)
    assert nocturna("doctor").code == 0
    for path in whole["encoder"].glob("model-00001*"):
        path.unlink()
    done = nocturna("doctor", "--json")
    (found,) = [one for one in done.json["findings"] if one["state"] == WRONG]
    assert done.code == 1 and found["about"] == "models"
    assert str(whole["sentiment"] / "model-00001-of-00002.safetensors") in found["said"]


def test_the_hub_and_an_engine_are_asked_where_wanted(nocturna, monkeypatch):
    with fake_hub({}) as (endpoint, seen):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)
        assert "not asked" in findings(nocturna("doctor", "--json"))["hub"]["said"] and not seen
        assert findings(nocturna("doctor", "--hub", "--json"))["hub"]["said"].endswith("reached")
        assert len(seen) == 1
    monkeypatch.setenv("PREFECT_API_URL", f"http://ana:{SECRET}@127.0.0.1:9/api")
    done = nocturna("doctor", "--hub", "--json")
    found = findings(done)
    assert found["hub"]["state"] == found["engine"]["state"] == NOTE and done.code == 0
    assert "cannot be reached" in found["hub"]["said"] and "unrecorded" in found["engine"]["todo"]
    assert SECRET not in done.out + done.err
