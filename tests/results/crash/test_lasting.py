"""Contract 10: whatever an older night, another version or a curious hand left, the night runs."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nocturna.tasks.errors import NocturnaError, QualityRefused, Stopped, UsageError
from nocturna.tasks.job.job import Job
from nocturna.tasks.results.layout import Layout, layout_of
from nocturna.tasks.results.manifest import list_runs
from nocturna.tasks.results.rollback import roll_back
from nocturna.tasks.results.snapshots import current_snapshot
from tests.results.crash.night import count_texts, job_of, run_night, write_corpus
from tests.results.crash.trials import rows_of

FIRST, SECOND, NEW = range(6), range(2, 8), range(2, 9)
KEPT = {"d0", "d1", "empty"}


@dataclass(frozen=True)
class Past:
    """Two nights, and a corpus that has one document more since."""

    out: Path
    corpus: Path

    def copy(self, folder: Path) -> tuple[Layout, Job]:
        shutil.copytree(self.out, folder / "out", symlinks=True)
        return layout_of(folder / "out", "prensa"), job_of(folder / "out", self.corpus)


@pytest.fixture(scope="module")
def past(tmp_path_factory) -> Past:
    folder = tmp_path_factory.mktemp("past")
    corpus = folder / "corpus.jsonl"
    for numbers in (FIRST, SECOND):
        write_corpus(corpus, numbers, 0)
        run_night(job_of(folder / "out", corpus))
    write_corpus(corpus, NEW, 0)
    return Past(folder / "out", corpus)


@pytest.fixture
def scored(monkeypatch) -> list[int]:
    texts: list[int] = []
    count_texts(texts.append, monkeypatch.setattr)
    return texts


def old(layout: Layout, name: str = "") -> Path:
    return sorted(layout.runs.iterdir())[0] / name


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | values))


def rename_field(path: Path) -> None:
    values = json.loads(path.read_bytes())
    first = sorted(values)[0]
    path.write_text(json.dumps({f"{k}_2" if k == first else k: v for k, v in values.items()}))


def another_type(path: Path) -> None:
    values = json.loads(path.read_bytes())
    key = next(k for k, v in values.items() if isinstance(v, dict))
    path.write_text(json.dumps(values | {key: [values[key]]}))


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "mine.txt").write_text("mine")


def link_instead(path: Path) -> None:
    """Moves a file or folder out of the job's folder and leaves a link to it."""
    outside = path.parents[3] / "outside"
    path.rename(outside)
    path.symlink_to(outside)


def not_utf8(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe")).mkdir(parents=True)


def own_folder(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "mine.txt").write_text("mine")


OLD_STATE = {
    "manifest cut": lambda p: cut(old(p, "manifest.json")),
    "manifest empty": lambda p: old(p, "manifest.json").write_bytes(b""),
    "manifest not ours": lambda p: old(p, "manifest.json").write_text('["mine"]'),
    "manifest a folder": lambda p: folder_instead(old(p, "manifest.json")),
    "manifest a link": lambda p: link_instead(old(p, "manifest.json")),
    "manifest gone": lambda p: old(p, "manifest.json").unlink(),
    "metrics cut": lambda p: cut(old(p, "metrics.json")),
    "metrics of another form": lambda p: old(p, "metrics.json").write_text(
        '{"metrics": {"ok": 1}}'
    ),
    "plan cut": lambda p: cut(old(p, "plan.json")),
    "lineage cut": lambda p: cut(old(p, "openlineage.ndjson")),
    "run gone": lambda p: shutil.rmtree(old(p)),
    "run a file": lambda p: (p.runs / "20250101T000000-00000000").write_text("mine"),
    "run a link": lambda p: link_instead(old(p)),
    "runs gone": lambda p: shutil.rmtree(p.runs),
    "quarantine gone": lambda p: shutil.rmtree(p.root / "quarantine"),
    "old part cut": lambda p: cut(next(p.snapshot(1).iterdir())),
    "old snapshot gone": lambda p: shutil.rmtree(p.snapshot(1)),
    "link gone": lambda p: p.results.unlink(),
    "link elsewhere": lambda p: (p.results.unlink(), p.results.symlink_to("/tmp")),
    "log gone": lambda p: shutil.rmtree(p.log),
    "log a file": lambda p: (shutil.rmtree(p.log), p.log.write_text("mine")),
    "first entry gone": lambda p: p.entry(1).unlink(),
    "last entry gone": lambda p: p.entry(2).unlink(),
    "last entry cut": lambda p: cut(p.entry(2)),
    "last entry of another form": lambda p: change(p.entry(2), parts="none"),
    "lock of another form": lambda p: p.lock.write_text('{"pid": ["x"], "future": 1}'),
    "lock a folder": lambda p: folder_instead(p.lock),
    "work a file": lambda p: (shutil.rmtree(p.root / "work"), (p.root / "work").write_text("mine")),
}

IN_A_HURRY = {
    *("manifest cut", "manifest a link", "metrics of another form", "run a file", "runs gone"),
    *("old part cut", "link elsewhere", "log gone", "last entry cut", "lock a folder"),
    *("work a file", "quarantine gone"),
}
"""One of each sort; `make test-all` has them all."""

KINDS = [
    pytest.param(kind, marks=[] if kind in IN_A_HURRY else pytest.mark.slow) for kind in OLD_STATE
]


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_state_or_lost_state_costs_a_line_and_not_the_night(
    past, tmp_path, scored, caplog, kind
):
    layout, job = past.copy(tmp_path)
    OLD_STATE[kind](layout)
    run_night(job)
    rows = rows_of(layout)
    assert set(rows["doc_id"]) == {f"d{n}" for n in NEW} | KEPT
    assert sum(scored) == 1, "only the new document is scored"
    assert len(caplog.messages) <= 1, caplog.messages
    mine = [p for p in tmp_path.rglob("*") if p.is_file() and p.read_bytes() == b"mine"]
    assert len(mine) == (1 if kind.endswith((" a file", " a folder")) else 0)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (name, damage)
        for name in ("manifest.json", "metrics.json")
        for damage in (
            lambda path: change(path, format=99, energy={"joules": 5}),
            rename_field,
            another_type,
        )
    ],
)
def test_other_version_manifest_is_read_as_far_as_it_can_be_and_left(
    past, tmp_path, scored, caplog, name, damage
):
    layout, job = past.copy(tmp_path)
    damage(old(layout, name))
    before = old(layout, name).read_bytes()
    run_night(job)
    assert len(rows_of(layout)) == len(NEW) + len(KEPT)
    assert old(layout, name).read_bytes() == before
    assert len(caplog.messages) <= 1, caplog.messages
    assert [run.status for run in list_runs(layout)] == ["published"] * 3


def test_lost_log_folder_is_written_anew_and_keeps_every_snapshot(past, tmp_path, caplog):
    layout, job = past.copy(tmp_path)
    before = {n: sorted(layout.snapshot(n).iterdir()) for n in (1, 2)}
    entries = [json.loads(layout.entry(n).read_bytes()) for n in (1, 2)]
    shutil.rmtree(layout.log)
    run_night(job)
    assert {n: sorted(layout.snapshot(n).iterdir()) for n in (1, 2)} == before
    again = [json.loads(layout.entry(n).read_bytes()) for n in (1, 2)]
    for entry, found in zip(entries, again, strict=True):
        assert _facts(entry) == _facts(found)
    assert len(caplog.messages) == 1
    assert "00000001.json: was lost and those of 1 other snapshots" in caplog.text


def test_what_a_person_put_there_stays_whatever_it_is_called(past, tmp_path):
    layout, job = past.copy(tmp_path)
    homes = [layout.root, layout.runs, layout.root / "work", layout.root / "quarantine"]
    homes += [layout.snapshots, layout.log]
    own = [home / name for home in homes for name in ("mine", "2026-01-01", "x.tmp", "copia 1")]
    own += [layout.snapshots / "00000099", old(layout).with_name(f"{old(layout).name}-copy")]
    for path in own:
        own_folder(path)
    for home in homes:
        not_utf8(home)
    run_night(job)
    run_night(job)
    assert all((path / "mine.txt").read_text() == "mine" for path in own)
    assert current_snapshot(layout).number > 99


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("quarantine", "log")]


@pytest.mark.parametrize("name", ["work", "runs", *SLOW])
def test_nothing_behind_a_link_is_touched(past, tmp_path, caplog, name):
    layout, job = past.copy(tmp_path)
    home, outside = layout.root / name, tmp_path / "outside"
    shutil.rmtree(home)
    for path in (
        outside / "photos",
        outside / "20250101T000000-00000000",
        outside / "00000007.tmp",
    ):
        own_folder(path)
    home.symlink_to(outside)
    before = sorted(outside.rglob("*"))
    run_night(job)
    assert (layout.damaged / name).is_symlink()
    cut(old(layout, "manifest.json"))
    cut(layout.entry(current_snapshot(layout).number))
    run_night(job)
    assert sorted(outside.rglob("*")) == before
    assert sum("is a link, not a folder" in line for line in caplog.messages) == 1
    wanted = {f"d{n}" for n in NEW} | {"empty"}
    assert wanted <= set(rows_of(layout)["doc_id"])


@pytest.mark.parametrize("name", ["", "00000002"])
def test_what_is_published_and_was_moved_behind_a_link_is_not_published_without(
    past, tmp_path, name
):
    layout, job = past.copy(tmp_path)
    moved = layout.snapshots / name
    link_instead(moved)
    before = rows_of(layout)
    with pytest.raises(UsageError, match="what is published is behind it: move it back"):
        run_night(job)
    assert rows_of(layout).equals(before)
    there = moved.resolve()
    moved.unlink()
    there.rename(moved)
    layout.root.rename(tmp_path / "disk")
    layout.root.symlink_to(tmp_path / "disk")
    run_night(job)
    assert set(rows_of(layout)["doc_id"]) == {f"d{n}" for n in NEW} | KEPT


SOME = [pytest.param(damage, marks=pytest.mark.slow) for damage in ("cut", "gone", "a link")]


@pytest.mark.parametrize("damage", ["a bit", *SOME])
def test_a_damaged_part_of_the_current_snapshot_is_named_and_its_documents_scored_again(
    past, tmp_path, scored, caplog, damage
):
    layout, job = past.copy(tmp_path)
    part = max(current_snapshot(layout).parts, key=lambda part: part.rows)
    lost = set(ids_of(part.path)) & {f"d{n}" for n in NEW}
    content = bytearray(part.path.read_bytes())
    if damage == "cut":
        cut(part.path)
    elif damage == "a bit":
        content[len(content) // 3] ^= 1
        part.path.write_bytes(content)
    elif damage == "gone":
        part.path.unlink()
    else:
        link_instead(part.path)
    run_night(job)
    assert {f"d{n}" for n in NEW} <= set(rows_of(layout)["doc_id"])
    assert sum(scored) == len(lost) + 1
    told = [line for line in caplog.messages if "nocturna rollback" in line]
    assert len(told) == 1
    assert part.name in told[0]
    if damage != "gone":
        assert (layout.damaged / "snapshots" / "00000002" / part.name).is_symlink() or (
            layout.damaged / "snapshots" / "00000002" / part.name
        ).exists()
    run_night(job)
    assert len([line for line in caplog.messages if "nocturna rollback" in line]) == 1


def test_a_lost_current_snapshot_falls_back_to_the_one_before(past, tmp_path, scored, caplog):
    layout, job = past.copy(tmp_path)
    shutil.rmtree(layout.snapshot(2))
    run_night(job)
    assert set(rows_of(layout)["doc_id"]) == {f"d{n}" for n in NEW} | KEPT
    assert sum(scored) == 3
    assert [line for line in caplog.messages if "results show snapshot 1 again" in line]


def test_the_night_after_a_rollback_goes_on_from_what_is_shown(past, tmp_path, scored):
    layout, job = past.copy(tmp_path)
    roll_back(layout, 1)
    run_night(job)
    assert set(rows_of(layout)["doc_id"]) == {f"d{n}" for n in NEW} | KEPT
    assert sum(scored) == 3
    roll_back(layout, 0)
    run_night(job)
    assert set(rows_of(layout)["doc_id"]) == {f"d{n}" for n in NEW} | {"empty"}


def test_what_holds_text_is_for_its_owner_only(past, tmp_path):
    layout, job = past.copy(tmp_path)
    output = job.output.model_copy(update={"keep_text": True})
    run_night(job.model_copy(update={"output": output, "full": True}))
    snapshot = current_snapshot(layout)
    closed = [layout.root / "work", layout.root / "quarantine", layout.snapshot(snapshot.number)]
    closed += [path.parent for path in (layout.root / "quarantine").glob("*/*")]
    assert {path.stat().st_mode & 0o777 for path in closed} == {0o700}
    texts = [part.path for part in snapshot.parts] + [*(layout.root / "quarantine").glob("*/*")]
    assert {path.stat().st_mode & 0o777 for path in texts} == {0o600}
    assert layout.snapshot(2).stat().st_mode & 0o077


def _facts(entry: dict) -> dict:
    """A log entry without the time and what only its run knew, its parts in any order."""
    parts = sorted(entry["parts"], key=lambda p: p["name"])
    return entry | {"published_at": "", "identity": None, "parts": parts}


def test_a_run_refused_when_it_is_planned_keeps_what_it_could_not_read(tmp_path, past):
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("{broken\n" * 5 + '{"id": "a", "text": "Un texto."}\n')
    layout = layout_of(tmp_path / "out", "prensa")
    with pytest.raises(QualityRefused, match=r"5 of 6 rows cannot be read.*; /.* holds them$"):
        run_night(job_of(tmp_path / "out", corpus))
    (run,) = list_runs(layout)
    assert run.status == "refused"
    assert str(layout.quarantine(run.run_id)) in run.reason
    layout.manifest(run.run_id).unlink()
    write_corpus(corpus, NEW, 0)
    run_night(job_of(tmp_path / "out", corpus))
    kept = [pq.read_table(path).num_rows for path in layout.quarantine(run.run_id).iterdir()]
    assert sum(kept) == 5


@pytest.mark.parametrize("folder", ["shards", "difference"])
def test_a_stopped_run_whose_plan_stands_on_damaged_files_is_begun_anew(
    tmp_path, scored, caplog, folder
):
    corpus, out = tmp_path / "corpus.jsonl", tmp_path / "out"
    write_corpus(corpus, range(8), 0)
    with pytest.raises(Stopped):
        run_night(job_of(out, corpus), stop_after=1)
    layout = layout_of(out, "prensa")
    (stopped,) = list_runs(layout)
    cut(sorted((layout.work(stopped.run_id) / folder).iterdir())[0])
    assert run_night(job_of(out, corpus)) != stopped.run_id
    assert len(rows_of(layout)) == 9
    assert sum("cannot go on" in line for line in caplog.messages) == 1


def test_what_other_programs_leave_costs_a_stopped_run_nothing(tmp_path, scored):
    corpus, out = tmp_path / "corpus.jsonl", tmp_path / "out"
    write_corpus(corpus, range(8), 0)
    with pytest.raises(Stopped):
        run_night(job_of(out, corpus), stop_after=1)
    layout = layout_of(out, "prensa")
    (stopped,) = list_runs(layout)
    for folder in [path for path in layout.root.rglob("*") if path.is_dir()]:
        (folder / ".DS_Store").write_bytes(b"of a Mac")
        for path in [path for path in folder.iterdir() if path.is_file()]:
            shutil.copy(path, path.with_name(f"{path.stem} (conflicted copy){path.suffix}"))
    assert run_night(job_of(out, corpus)) == stopped.run_id
    assert len(rows_of(layout)) == 9 and sum(scored) == 8


def test_a_file_in_the_place_of_the_job_is_one_line(tmp_path, past):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "prensa").write_text("mine")
    with pytest.raises(NocturnaError, match="prensa: is a file where a folder is needed"):
        run_night(job_of(tmp_path / "out", past.corpus))


def ids_of(path: Path) -> list[str]:
    return pq.read_table(path, columns=["doc_id"])["doc_id"].to_pylist()
