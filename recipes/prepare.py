"""Prepares the bundled models, so that their first run need not: python -m recipes.prepare

To be run after a change of the bundled models, of what is kept of a model, or of the versions of
transformers, tokenizers, torch or OpenVINO in constraints.txt. It scores two texts with an empty
cache, and puts what the cache holds then into `data/prepared`: what transformers found in the
models' files, and their networks as OpenVINO runs them, without the weights.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from nocturna.tasks.cached import PREPARED
from nocturna.tasks.inference.backends._openvino_prepared import prepare
from nocturna.tasks.inference.models import BUNDLED_MODELS

LABELS = {"labels": ["ocio", "dinero"]}
SCORES: dict[str, dict[str, Any]] = {
    "sentiment": {"sentiment": {}},
    "topics": {"topics": LABELS},
    "both": {"sentiment": {}, "topics": LABELS},
}
TEXTS = ("Me ha gustado mucho.", "No lo recomiendo a nadie.")


def main() -> None:
    """Replaces what is prepared."""
    shutil.rmtree(PREPARED, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        fill(room / "cache", room)
        for kind in ("networks", "tokenizers"):
            shutil.copytree(room / "cache" / kind, PREPARED / kind)
        for kept in sorted((room / "cache" / "openvino").iterdir()):
            about = json.loads((kept / "about.json").read_text(encoding="utf-8"))
            parts = {"encoder": "embedding", "sentiment": "logits"}
            read = [
                BUNDLED_MODELS[which] for which, word in parts.items() if word in about["reading"]
            ]
            prepare(kept, read, PREPARED / "openvino" / kept.name)
            print(f"{about['model']}: {about['reading']}")


def fill(cache: Path, room: Path) -> None:
    """Scores two texts by each bundled model and by both, with this cache and without an engine."""
    (room / "two.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    command = "from nocturna.command import main; main()"
    for name, scores in SCORES.items():
        job = {"name": name, "source": {"path": "two.txt"}, "scores": scores}
        (room / f"{name}.yaml").write_text(json.dumps(job), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-c", command, "score", "--job", f"{name}.yaml"],
            cwd=room,
            env={
                **os.environ,
                "NOCTURNA_CACHE": str(cache),
                "PREFECT_API_URL": "http://127.0.0.1:9",
            },
            check=True,
        )


if __name__ == "__main__":
    main()
