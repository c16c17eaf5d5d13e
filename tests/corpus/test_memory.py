import gzip
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.corpus.corpora import write

SPEECHES = Path(__file__).parents[3] / "shared" / "data" / "load" / "speeches-es.jsonl.gz"

READ = """
import resource, sys, tempfile
from pathlib import Path
from nocturna.tasks.corpus.index import build_index
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.job.job import Source
from nocturna.tasks.results import files
source = Source(path=sys.argv[1], id=sys.argv[2] if len(sys.argv) > 2 else None)
with tempfile.TemporaryDirectory() as folder:
    staged = stage(source, Shelf(Path(folder) / "staged", files.put_folder))
    (Path(folder) / "index").mkdir()
    index = build_index(staged, Path(folder) / "index", files.link_or_copy)
    rows = staged.rows
assert rows == index.documents
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(path: Path, *more: str) -> tuple[int, int]:
    """Documents and peak MiB of a process that stages and indexes a corpus."""
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), *more], capture_output=True, text=True, check=True
    )
    rows, mib = map(int, done.stdout.split())
    return rows, mib


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(tmp_path):
    text = "El presupuesto de este año se discute hoy en la cámara. " * 12

    def corpus(rows):
        with gzip.open(tmp_path / f"{rows}.jsonl.gz", "wt", 1, encoding="utf-8") as out:
            out.writelines(json.dumps({"id": i, "text": f"{i} {text}"}) + "\n" for i in range(rows))
        return tmp_path / f"{rows}.jsonl.gz"

    (few, small), (many, large) = peak(corpus(2_000)), peak(corpus(80_000))
    assert (few, many) == (2_000, 80_000)
    assert large - small < 60


@pytest.mark.slow
@pytest.mark.skipif(not SPEECHES.exists(), reason=f"{SPEECHES} is not here")
@pytest.mark.parametrize("more", [[], ["id"]])
def test_the_whole_speeches_corpus_takes_little_more_than_its_start(tmp_path, more):
    with gzip.open(SPEECHES) as stream:
        head = write(tmp_path / "head.jsonl.gz", gzip.compress(b"".join(islice(stream, 10_000))))
    few, small = peak(head, *more)
    many, large = peak(SPEECHES, *more)
    assert (few, many) == (10_000, 372_826)
    assert large - small < 200
