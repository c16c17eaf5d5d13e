"""Shows summaries without a key: the real client, talking to the fake Gemini of the tests.

python -m tests.enrichment.demo                  summarises some of the sample opinions
python -m tests.enrichment.demo COMMAND ...      runs a command against the fake instead
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nocturna.tasks.enrichment.estimate import estimate
from nocturna.tasks.enrichment.summary_records import DocumentText
from nocturna.tasks.enrichment.summary_stream import summarise
from nocturna.tasks.job.job import Summaries
from tests.enrichment.fake_gemini import KEY, FakeGemini

SAMPLE = Path("data/samples/opiniones.jsonl")
COUNT = 8
NOTICE = (
    "DEMO: answers come from a fake Gemini in this process, not from Google: it repeats the first\n"
    "words of a document. Nothing leaves this machine and nothing is paid.\n"
)


def main(command: list[str]) -> int:
    """Runs the demo, or a command, with the fake in place of Gemini; returns the exit code."""
    print(NOTICE, flush=True)
    with FakeGemini() as fake:
        os.environ |= {"GOOGLE_GEMINI_BASE_URL": fake.url, "GEMINI_API_KEY": KEY}
        if command:
            code = subprocess.run(command, check=False).returncode
            print(f"\nThe fake answered {fake.billed.total()} requests.")
            return code
        if not SAMPLE.exists():
            print(f"{SAMPLE}: not found; run the demo in the root of the project", file=sys.stderr)
            return 1
        show_samples(fake)
    return 0


def show_samples(fake: FakeGemini) -> None:
    """Prints what a few documents would cost, their summaries, and what a second run costs."""
    with SAMPLE.open(encoding="utf-8") as file:
        rows = [json.loads(line) for _, line in zip(range(COUNT), file, strict=False)]
    documents = [DocumentText(str(row["id"]), row["text"]) for row in rows]
    settings = Summaries(enabled=True, max_usd=0.05, words=12)
    with tempfile.TemporaryDirectory() as folder:
        found = estimate(documents, settings, "es", Path(folder))
        prices = ", ".join(f"{mode} {usd:.6f}" for mode, usd in found.usd.items())
        print(f"Dry run: {found.requests} requests; USD: {prices} (prices of {found.prices_as_of})")
        for run_id in ("monday", "tuesday"):
            print(f"\nRun {run_id!r}, with max_usd {settings.max_usd}:")
            for table in summarise(
                documents, settings, language="es", state_folder=Path(folder), run_id=run_id
            ):
                for row in table.to_pylist():
                    told = row["summary"] or row["summary_reason"]
                    cost = row["summary_cost_usd"]
                    print(f"  {row['doc_id']:>8}  {row['summary_status']:7} {cost:.6f}  {told}")
            print(f"  calls so far: {fake.calls}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
