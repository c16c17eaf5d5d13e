"""`nocturna evaluate`: how good a model is on a labelled file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nocturna.cli.given import AsJson, new_app
from nocturna.options import entries
from nocturna.tasks.errors import UsageError
from nocturna.tasks.inference.heads import heads
from nocturna.tasks.job.job_file import read_job_values

if TYPE_CHECKING:
    from nocturna.tasks.evaluation.calibrate import Calibrated

app = new_app()


@app.command()
def evaluate(
    file: Annotated[str, typer.Argument(help="Labelled file: anything that a job could read.")],
    task: Annotated[str, typer.Option(help="What is scored, such as sentiment or topic.")],
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    gold: Annotated[str, typer.Option(help="Column of the gold label.")] = "label",
    model: Annotated[
        str | None, typer.Option(help="Hub name or local folder; the bundled model if none.")
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="LIST", help="Candidate labels of a zero-shot task."),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="LIST",
            help="gold=label,...: names of gold labels; gold= leaves one out.",
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help=f"Kind of score, with labels: one of {', '.join(heads())}.")
    ] = None,
    template: Annotated[str | None, typer.Option(help="Hypothesis with {} for the label.")] = None,
    job: Annotated[
        Path | None,
        typer.Option(help="Job file whose score `--task` is, in place of model and labels."),
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(
            metavar="OUT",
            help="Output folder or URI of a job, whose shares are corrected; without model, labels "
            "and job, its published scores are what is evaluated.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WAY",
            help="Compare with another model, keys of the score as in '{template: ...}', or "
            "another job file.",
        ),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the rows that are wrong there, as .csv, .xlsx or .jsonl."
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Fit a temperature and a bias for each label, and write them into the job file.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws for the intervals.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Score a labelled file and say how good the model is, how exactly, and where it errs.

    Example: nocturna evaluate gold.csv --job jobs/prensa.yaml --task topic --errors errors.csv
    """
    described = {"--model": model, "--labels": labels, "--method": method, "--template": template}
    given = next((name for name, said in described.items() if said), None)
    if job is not None and given is not None:
        raise UsageError(f"{given}: --job says that; leave one of the two out")
    as_published = published is not None and job is None and given is None
    if as_published and (calibrate or against):
        flag = "--calibrate" if calibrate else "--against"
        raise UsageError(f"{flag}: needs the model; name it with --job, --model or --labels")
    from nocturna.evaluating import check_errors_file, corpus_of, published_file, write_errors
    from nocturna.tasks.evaluation.file import evaluate_file
    from nocturna.tasks.evaluation.gold import parse_map
    from nocturna.tasks.evaluation.tables import as_text

    if errors is not None:
        check_errors_file(errors, "--errors")
    names = parse_map(mapping or ())
    if as_published and published is not None:
        found, rows, others = published_file(file, task, text, gold, names, published, seed)
    else:
        chosen = {"kind": method, "template": template}
        found, rows, others = evaluate_file(
            file,
            task,
            text=text,
            gold=gold,
            model=model,
            labels=entries("--labels", labels),
            names=names,
            options={key: value for key, value in chosen.items() if value},
            job_values=read_job_values(job) if job is not None else None,
            fit=calibrate,
            against=against or (),
            corpus=corpus_of(published, task) if published is not None else None,
            seed=seed,
        )
    print(json.dumps(found.as_dict(), ensure_ascii=False) if as_json else as_text(found))
    told = [write_errors(errors, rows, others)] if errors is not None else []
    if found.calibrated is not None:
        told.append(_kept(found.calibrated, job, task))
    for line in told:
        print(line, file=sys.stderr if as_json else sys.stdout)


def _kept(found: "Calibrated", job: Path | None, task: str) -> str:
    """Writes what was fitted into the job; says in a line what became of it."""
    from nocturna.tasks.job.job_edit import write_key

    fitted = found.calibration.model_dump()
    if not found.helps:
        return "Rows that the fit had not seen are told no better by it: nothing was written."
    if job is None:
        return f"For the score in a job file: calibration: {json.dumps(fitted, ensure_ascii=False)}"
    write_key(job, ("scores", task), "calibration", fitted)
    return f"{job}: scores.{task}.calibration was written; raw scores again without it."
