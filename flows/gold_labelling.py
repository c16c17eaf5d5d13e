"""What `nocturna gold` does: draws documents into a file, and serves the page to label them on."""

from pathlib import Path

from nocturna.gold_server import GoldServer
from nocturna.tasks.corpus.gold_sample import GoldSample, read_sample
from nocturna.tasks.errors import UsageError
from nocturna.tasks.reading.gold_answers import Answers
from nocturna.tasks.reading.gold_drawing import chosen_score, draw
from nocturna.tasks.reading.gold_sheet import check_gold_file, write_gold_file
from nocturna.tasks.reading.views import View
from nocturna.tasks.reading.workbook import Written


def draw_into(
    view: View, to: Path | None, most: int, score: str | None, seed: int, page: bool
) -> tuple[Path, GoldSample, Written]:
    """Draws documents into a file that is not there yet.

    Returns:
        the file, how they were drawn, and what was changed so that they fit in cells.
    """
    path = to or _default(view, score, ".csv" if page else ".xlsx")
    check_gold_file(path, view.layout)
    sample, rows = draw(view, most, score, seed)
    return path, sample, write_gold_file(path, sample, rows)


def go_on(view: View, to: Path | None, score: str | None) -> Path | None:
    """The file of an earlier time that the page goes on with; None where there is none."""
    path = to or _default(view, score, ".csv")
    if not path.exists():
        return None
    if read_sample(str(path)) is None:
        raise UsageError(
            f"{path}: is there, and nothing beside it says how its rows were drawn; "
            "name another file with --to"
        )
    return path


def label_in_browser(path: Path, port: int) -> None:
    """Serves the labelling page until a signal ends the process; what lasts is in the file.

    Raises:
        UsageError: the file cannot be read, or the port is taken.
    """
    sample = read_sample(str(path))
    assert sample is not None
    answers = Answers(path, sample)
    try:
        server = GoldServer(answers, sample.score, port)
    except OSError as error:
        raise UsageError(f"--port {port}: {error.strerror}; leave it out for any") from None
    with server:
        print(f"{path}: {answers.done} of {len(answers.labels)} are labelled")
        print("every answer is saved at once; Ctrl-C ends, the same command goes on")
        print(f"open {server.address}", flush=True)
        server.serve_forever()


def _default(view: View, score: str | None, ending: str) -> Path:
    return Path(f"{view.layout.job_name}-{chosen_score(view, score).name}{ending}")
