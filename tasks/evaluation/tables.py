"""An evaluation as text tables for a terminal."""

from collections.abc import Iterator, Sequence

from nocturna.tasks.evaluation.evaluated import Evaluated
from nocturna.tasks.evaluation.intervals import Group, Interval
from nocturna.tasks.evaluation.pairing import Pairing
from nocturna.tasks.evaluation.prevalence import Prevalence
from nocturna.tasks.visible import visible


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a header, the first column to the left and the others to the right."""
    shown = [[visible(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]
    return "\n".join(lines)


def as_text(found: Evaluated) -> str:
    """The evaluation as text tables for a terminal."""
    left_out = [f"{found.unlabelled} unlabelled and {found.unreadable} unreadable rows"]
    if found.not_drawn:
        left_out.append(f"{found.not_drawn} that were not drawn")
    if found.repeated:
        left_out.append(f"{found.repeated} that repeat another")
    if found.not_published:
        left_out.append(f"{found.not_published} whose text is not in the results")
    head = (
        f"{visible(found.file)}: {found.task} by {visible(found.model)}; "
        f"{' and '.join(left_out)} left out of {found.rows}"
    )
    measures, ends = found.evaluation, found.intervals
    summary = (
        f"{measures.n} rows, accuracy {measures.accuracy:.3f} {_ends(ends.accuracy)}, "
        f"macro-F1 {measures.macro_f1:.3f} {_ends(ends.macro_f1)}, "
        f"calibration error {measures.calibration_error:.3f}; intervals of 95 %"
    )
    if found.weighed:
        summary += "\nEach row weighs as many documents as it was drawn for."
    fit = [found.calibrated.as_text()] if found.calibrated else []
    return "\n\n".join([f"{head}\n{summary}", *_parts(found), *fit])


def _parts(found: Evaluated) -> Iterator[str]:
    measures, ends = found.evaluation, found.intervals
    quality = zip(measures.per_label, ends.precision, ends.recall, ends.f1, strict=True)
    yield table(
        ("label", "precision", "95 %", "recall", "95 %", "F1", "95 %", "rows"),
        [
            (
                *(q.label, f"{q.precision:.3f}", _ends(precision), f"{q.recall:.3f}"),
                *(_ends(recall), f"{q.f1:.3f}", _ends(f1), str(q.support)),
            )
            for q, precision, recall, f1 in quality
        ],
    )
    yield table(
        ("gold \\ predicted", *measures.labels),
        [
            (label, *(str(count) for count in row))
            for label, row in zip(measures.labels, measures.confusion, strict=True)
        ],
    )
    yield table(
        ("score", "rows", "mean score", "accuracy", "95 %"),
        [
            (
                f"{b.lower:.1f}-{b.upper:.1f}",
                *(str(b.count), f"{b.mean_score:.3f}", f"{b.accuracy:.3f}", _ends(interval)),
            )
            for b, interval in zip(measures.reliability, ends.reliability, strict=True)
            if b.mean_score is not None and b.accuracy is not None
        ],
    )
    yield _groups(found.groups)
    if found.against:
        yield _against(found.against)
    if found.prevalence:
        yield _prevalence(found.prevalence)
    if found.other_way:
        yield (
            "The corpus was scored by another model, template or setting than these rows: how they "
            "are told says little of it."
        )


def _groups(groups: Sequence[Group]) -> str:
    rows = [
        (f"{group.by} {group.name}", str(group.rows), f"{group.accuracy:.3f}", _of(group))
        for group in groups
    ]
    return table(("group", "rows", "accuracy", "95 %"), rows)


def _against(against: Sequence[Pairing]) -> str:
    return table(
        ("against", "accuracy", "difference", "95 %", "only it right", "only first right", "p"),
        [
            (
                *(f"{number}: {other.name}", f"{other.accuracy:.3f}", f"{other.difference:+.3f}"),
                *(f"({other.low:+.3f} to {other.high:+.3f})", str(other.only_other)),
                *(str(other.only_first), f"{other.p:.2g}"),
            )
            for number, other in enumerate(against, 1)
        ],
    )


def _prevalence(found: Prevalence) -> str:
    rows = []
    for share in found.shares:
        ends = (share.share, share.low, share.high)
        known = [f"{100 * end:.1f}" for end in ends if end is not None]
        told = (known[0], f"({known[1]} to {known[2]})") if known else ("no gold row", "")
        rows.append((share.label, f"{100 * share.counted:.1f}", *told))
    if found.how == "sample":
        said = (
            f"The rows were drawn from this corpus and stand for {found.covered:,} of its "
            f"{found.documents:,} documents; nothing else is assumed."
        )
    else:
        said = (
            f"Counted on {found.documents:,} documents, corrected by the confusion table. Assumed: "
            "a document of a label is told\nas often there as among these rows, and each is of one "
            "of these labels; a label without gold rows counts as absent."
        )
    return f"{table(('share of the corpus, %', 'counted', 'corrected', '95 %'), rows)}\n{said}"


def _of(group: Group) -> str:
    return _ends((group.low, group.high))


def _ends(interval: Interval) -> str:
    return f"({interval[0]:.3f} to {interval[1]:.3f})"
