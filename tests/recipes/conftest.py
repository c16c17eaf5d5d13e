"""What the training extra brings is not needed to try the recipe."""

import gzip
from pathlib import Path

import msgpack
import pytest

from recipes.bundled.sources import LANGUAGES


@pytest.fixture
def wordfreq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package `wordfreq` of a few made-up words, laid out as the real one is."""
    package = tmp_path / "wordfreq"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    words = [[f"palabra{chr(97 + i % 26)}{chr(97 + i // 26)}"] for i in range(400)]
    packed = gzip.compress(msgpack.packb([{"format": "cB"}, *words]))
    for language in LANGUAGES:
        (package / "data" / f"large_{language}.msgpack.gz").write_bytes(packed)
    monkeypatch.syspath_prepend(tmp_path)
