"""`nocturna show`: documents by their labels and by how sure their scores are."""

import json
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from nocturna.cli.given import AsJson, At, Out, new_app, one_form
from nocturna.tasks.errors import UsageError

app = new_app()


class _Labels(TyperCommand):
    """Takes `--<score> LABEL` for whatever scores the results have."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = {flag for option in self.params for flag in option.opts}
        rest: list[str] = []
        wanted: dict[str, list[str]] = ctx.meta.setdefault("nocturna.labels", {})
        left = iter(args)
        for word in left:
            flag, equals, value = word.partition("=")
            if not flag.startswith("--") or flag in known or flag in ("--", "--help"):
                rest.append(word)
                continue
            label = value if equals else next(left, None)
            if label is None:
                raise UsageError(f"{flag}: needs a label; `nocturna show --help` says more")
            wanted.setdefault(flag[2:], []).append(label)
        return super().parse_args(ctx, rest)


@app.command(cls=_Labels)
def show(
    context: typer.Context,
    out: Out,
    most: Annotated[int, typer.Option("-n", min=1, help="Documents to show, at most.")] = 20,
    surest: Annotated[bool, typer.Option("--surest", help="Begin with the highest score.")] = False,
    least_sure: Annotated[
        bool, typer.Option("--least-sure", help="Begin with the lowest score.")
    ] = False,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw them evenly; the same ones each time.")
    ] = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show documents, with --SCORE LABEL those of a label, such as --topic política.

    Any score of the results is such an option; given twice, either label will do.
    How sure a document is: the lowest of its scores, of those named or of all.

    Example: nocturna show out/prensa --topic política --sentiment NEG --least-sure -n 20
    """
    from nocturna.documents_shown import print_documents
    from nocturna.tasks.reading.picking import Order, pick
    from nocturna.tasks.reading.questions import asking
    from nocturna.tasks.reading.views import view_of

    orders: dict[Order, bool] = {"surest": surest, "least-sure": least_sure, "sample": sample}
    one_form({f"--{name}": given for name, given in orders.items()})
    order: Order = next((name for name, given in orders.items() if given), "source")
    view = view_of(out, at)
    with asking(view) as database:
        found = pick(database, view.schema, context.meta["nocturna.labels"], order, most)
    if as_json:
        print(json.dumps({"found": found.found, "documents": found.rows}, ensure_ascii=False))
    else:
        print_documents(found, view.schema)
