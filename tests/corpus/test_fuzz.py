"""Valid files of each format with some bytes changed: every row is told of, or one line is said."""

import json
import subprocess
import sys

import pytest

SOME, MANY = 200, 2_000

FUZZ = """
import json, random, sys, tempfile
from pathlib import Path

from nocturna.tasks.corpus.index import build_index
from nocturna.tasks.corpus.staging import Shelf, stage
from nocturna.tasks.errors import NocturnaError
from nocturna.tasks.results import files
from tests.corpus.corpora import ENCODERS, arrow, compressed, source, tarred, write, zipped
from tests.corpus.test_spreadsheet import RECORDS, ods, warc, xlsx

ROWS = [
    {"id": f"d{n}", "text": f"texto {n} ñ, \\"x\\"; y {n * 7}", "k": n if n % 3 else None}
    for n in range(12)
]
MADE = {form: encode(ROWS) for form, encode in ENCODERS.items()}
MADE |= {"arrows": arrow(ROWS, 5, stream=True), "wet": warc(RECORDS)}
MADE["xlsx"] = xlsx(Uno=[list(ROWS[0]), *(list(row.values()) for row in ROWS)])
MADE["ods"] = ods(Uno=[list(ROWS[0]), *(list(row.values()) for row in ROWS)])
for ending in (".gz", ".zst", ".bz2", ".xz"):
    MADE[f"jsonl{ending}"] = compressed(MADE["jsonl"], ending)
inside = [(f"m/c.{form}", MADE[form]) for form in ("jsonl", "csv", "parquet", "arrow")]
MADE |= {"zip": zipped(inside), "tar": tarred(inside), "tar.gz": tarred(inside, ".gz")}
NAMES = sorted(MADE)


def mutated(data, dice):
    data = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 2, 5, 20])):
        at = dice.randrange(len(data))
        match dice.randrange(5):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                data[at] ^= 1 << dice.randrange(8)
            case 2:
                del data[at : at + dice.randrange(1, 20)]
            case 3:
                some = b'\\x00"{}[],;\\n\\r\\\\ab\\xff'
                data[at:at] = bytes(dice.choices(some, k=dice.randrange(1, 9)))
            case 4:
                data[at:at] = data[at : at + 30]
        if not data:
            data = bytearray(b"x")
    return bytes(data)


told = {"read": 0, "refused": 0, "rejected": 0}
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    dice = random.Random(seed)
    name = NAMES[seed % len(NAMES)]
    print("try", seed, name, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        ending = name.replace("arrows", "arrow")
        path = write(Path(folder) / f"c.{ending}", mutated(MADE[name], dice))
        own = not name.startswith(("txt", "wet"))
        try:
            staged = stage(
                source(path, id="id" if own else None, keep=("k",) if own else ()),
                Shelf(Path(folder) / "s", files.put_folder),
            )
            (Path(folder) / "i").mkdir()
            found = build_index(staged, Path(folder) / "i", files.link_or_copy)
        except NocturnaError as error:
            assert len(str(error).splitlines()) == 1, str(error)
            told["refused"] += 1
            continue
        assert found.read == staged.rows == found.documents + found.rejected, found
        told["read"] += 1
        told["rejected"] += found.rejected
print(json.dumps(told))
"""


def fuzz(start: int, stop: int) -> dict[str, int]:
    command = [sys.executable, "-c", FUZZ, str(start), str(stop)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    tries = done.stdout.splitlines()
    assert done.returncode == 0, (done.returncode, tries[-1:], done.stderr[-2000:])
    return json.loads(tries[-1])


def test_changed_bytes_lose_no_row_and_end_no_process():
    told = fuzz(0, SOME)
    assert min(told.values()) > SOME // 20


@pytest.mark.slow
@pytest.mark.parametrize("start", range(SOME, MANY, 450))
def test_many_changed_bytes_lose_no_row_and_end_no_process(start):
    fuzz(start, min(MANY, start + 450))
