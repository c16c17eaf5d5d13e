"""Summarises in a process of its own, so that a test can kill it or run two at once.

python -m tests.enrichment.worker STATE_FOLDER RUN_ID TEXTS SETTINGS [STOP_FILE], both as JSON
"""

import json
import sys
from pathlib import Path

from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.errors import Stopped
from tests.enrichment.conftest import QUICK, documents, make_settings


def main() -> int:
    """Prints the rows, a line each; 143 if it was stopped."""
    folder, run_id, texts, settings, *stop_file = sys.argv[1:]
    tables = summarise(
        documents(json.loads(texts)),
        make_settings(**json.loads(settings)),
        language="es",
        state_folder=Path(folder),
        run_id=run_id,
        timing=QUICK,
        stop=lambda: bool(stop_file) and Path(stop_file[0]).exists(),
    )
    try:
        for table in tables:
            for row in table.to_pylist():
                print(json.dumps(row))
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
