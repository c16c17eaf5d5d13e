from pathlib import Path

import pytest

from nocturna.tasks.results.layout import Layout, layout_of
from tests.results.examples import JOB


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return layout_of(tmp_path / "out", JOB)
