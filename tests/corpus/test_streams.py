import hashlib
import random
from collections import Counter

import pytest

from nocturna.tasks.corpus import storage, streams
from nocturna.tasks.corpus.lines import Line, iter_lines, one_by_one
from nocturna.tasks.corpus.streams import blocks
from nocturna.tasks.errors import UsageError
from tests.corpus.corpora import (
    compressed,
    inputs_of,
    jsonl,
    read_all,
    source,
    staged_in,
    texts,
    write,
)

PACKED = (".gz", ".zst", ".bz2", ".xz")
ROWS = [{"text": f"texto {random.Random(i).random()} {i}"} for i in range(20_000)]


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("damage", ["cut", "cut at the end", "flipped", "garbage after"])
def test_a_damaged_stream_is_one_line_at_planning(tmp_path, ending, damage):
    data = compressed(jsonl(ROWS), ending)
    half = len(data) // 2
    broken = {
        "cut": data[:half],
        "cut at the end": data[:-1],
        "flipped": data[:half]
        + bytes(b ^ 0xFF for b in data[half : half + 50])
        + data[half + 50 :],
        "garbage after": data + b"esto no",
    }[damage]
    origin = source(write(tmp_path / f"c.jsonl{ending}", broken))
    with pytest.raises(
        UsageError, match=rf"c\.jsonl\{ending}: .*copy (it|the file) again"
    ) as error:
        read_all(origin)
    assert "\n" not in str(error.value)


def test_streams_of_several_members_are_read_whole(tmp_path):
    parts = [jsonl(ROWS[i : i + 1000]) for i in range(0, 5000, 1000)]
    for ending in PACKED:
        data = b"".join(compressed(part, ending) for part in parts)
        documents, _ = read_all(source(write(tmp_path / f"c.jsonl{ending}", data)), 300)
        assert texts(documents) == texts(ROWS[:5000])


@pytest.mark.slow
def test_a_few_bytes_that_stand_for_very_many_are_not_held(tmp_path):
    huge = b"\n" * 300_000_000 + jsonl([{"text": "fin"}])
    for ending in PACKED:
        origin = source(write(tmp_path / f"c.jsonl{ending}", compressed(huge, ending)))
        (item,) = inputs_of(origin)
        largest = total = 0
        for block in blocks(origin, item):
            largest, total = max(largest, len(block)), total + len(block)
        assert total == len(huge)
        assert largest <= streams.BLOCK


@pytest.mark.parametrize("ending", ["", *PACKED])
def test_staging_reads_each_stored_byte_once_besides_the_head(tmp_path, monkeypatch, ending):
    read: Counter[str] = Counter()
    before = storage.open_raw

    class Counted:
        def __init__(self, raw, name):
            self.raw, self.name = raw, name

        def read(self, n=-1):
            data = self.raw.read(n)
            read[self.name] += len(data)
            return data

        def close(self):
            self.raw.close()

    def counted(origin, item, digest=None):
        return Counted(before(origin, item, digest), "whole" if digest else "head")

    monkeypatch.setattr(streams, "open_raw", counted)
    path = write(tmp_path / f"c.jsonl{ending}", compressed(jsonl(ROWS), ending))
    staged = staged_in(source(path), tmp_path / "s")
    assert staged.rows == len(ROWS)
    assert read["whole"] == path.stat().st_size
    assert read["head"] <= 8 * streams.BLOCK
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert [item.fingerprint for item in staged.inputs] == [f"sha256:{digest}"]


def each(lines) -> list[Line]:
    """Lines one by one, those of runs of blank ones too."""
    return [one for line in lines for one in (one_by_one(line) if line.lines > 1 else [line])]


def test_lines_are_the_same_wherever_the_blocks_are_cut():
    dice = random.Random(2)
    data = b"".join(bytes(dice.choices(b"ab \r\n\n\n", k=60)) for _ in range(20))
    assert max(line.lines for line in iter_lines([data])) > 2
    whole = each(iter_lines([data]))
    assert [line.data for line in whole] == data.split(b"\n")[: len(whole)]
    assert all(
        data[line.offset : line.end].rstrip(b"\n") == line.data.rstrip(b"\n") for line in whole
    )
    for _ in range(300):
        cuts = sorted(dice.choices(range(len(data) + 1), k=dice.randint(0, 30)))
        blocks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        assert each(iter_lines(blocks)) == whole


def test_a_line_over_the_limit_is_not_held(monkeypatch):
    monkeypatch.setattr("nocturna.tasks.corpus.lines.MAX_RECORD", 10_000)
    dice = random.Random(6)
    lengths = [5, 10_000, 10_001, 50_000, 0, 3, 20_000]
    data = b"".join(bytes([65 + i]) * n + b"\n" for i, n in enumerate(lengths))
    for _ in range(100):
        cuts = sorted(dice.choices(range(len(data) + 1), k=dice.randint(0, 30)))
        blocks = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        lines = list(iter_lines(blocks))
        assert [line.end - line.offset - 1 for line in lines] == lengths
        assert [line.whole for line in lines] == [n <= 10_000 for n in lengths]
        assert [len(line.data) for line in lines] == [n if n <= 10_000 else 4096 for n in lengths]
        assert [line.data[:1] for line in lines] == [b"A", b"B", b"C", b"D", b"", b"F", b"G"]
