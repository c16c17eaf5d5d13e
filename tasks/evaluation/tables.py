"""An evaluation as text tables for a terminal."""

from collections.abc import Sequence

from nocturna.tasks.evaluation.agreement import Evaluation
from nocturna.tasks.visible import visible


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
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


def as_text(evaluation: Evaluation) -> str:
    """The evaluation as text tables for a terminal."""
    quality = _table(
        ("label", "precision", "recall", "F1", "rows"),
        [
            (q.label, f"{q.precision:.3f}", f"{q.recall:.3f}", f"{q.f1:.3f}", str(q.support))
            for q in evaluation.per_label
        ],
    )
    confusion = _table(
        ("gold \\ predicted", *evaluation.labels),
        [
            (label, *(str(count) for count in row))
            for label, row in zip(evaluation.labels, evaluation.confusion, strict=True)
        ],
    )
    reliability = _table(
        ("score", "rows", "mean score", "accuracy"),
        [
            (
                f"{b.lower:.1f}-{b.upper:.1f}",
                str(b.count),
                f"{b.mean_score:.3f}",
                f"{b.accuracy:.3f}",
            )
            for b in evaluation.reliability
            if b.mean_score is not None and b.accuracy is not None
        ],
    )
    summary = (
        f"{evaluation.n} rows, accuracy {evaluation.accuracy:.3f}, "
        f"macro-F1 {evaluation.macro_f1:.3f}, "
        f"calibration error {evaluation.calibration_error:.3f}"
    )
    return "\n\n".join((summary, quality, confusion, reliability))
