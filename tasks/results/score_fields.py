"""The columns of one score, and what each of them means."""

from collections.abc import Iterable

import pyarrow as pa

from nocturna.tasks.inference.score_plan import ScorePlan
from nocturna.tasks.naming import column_names


def label_columns(score: str, labels: Iterable[str]) -> dict[str, str]:
    """The column of each label, in order: `{"política": "topic_politica"}`.

    The names are distinct and do not depend on the order of the labels.
    """
    return {label: f"{score}_{name}" for label, name in column_names(labels).items()}


def columns_of_score(score: ScorePlan) -> list[str]:
    """Every column that a score has in the results."""
    return [field.name for field in score_fields(score)]


def score_fields(score: ScorePlan) -> list[pa.Field]:
    """Every column of a score, in their order."""
    name, text = score.name, pa.string()
    has: dict[str, list[tuple[str, pa.DataType, str, str | None]]] = {
        "labels": [
            (name, text, f"Label with the highest {name} score.", None),
            (f"{name}_score", pa.float32(), "Score of that label.", "0 to 1"),
        ],
        "choices": [
            (name, text, "Of the document's own labels, the one with the highest score.", None),
            (f"{name}_score", pa.float32(), "Score of that label.", "0 to 1"),
            (f"{name}_labels", pa.list_(text), f"Labels from {score.choices!r}.", None),
            (f"{name}_scores", pa.list_(pa.float32()), "Their scores, in that order.", "0 to 1"),
        ],
        "number": [(name, pa.float32(), "The number that the model gives.", None)],
    }
    labels = label_columns(name, score.labels) if score.gives == "labels" else {}
    if score.threshold is not None:
        about = f" Null where its score is below {score.threshold}."
        has = {
            key: [(*rows[0][:2], rows[0][2] + about, None), *rows[1:]] for key, rows in has.items()
        }
    fields = [make_field(*column, None, name) for column in has[score.gives]]
    fields += [
        make_field(column, pa.float32(), _meaning(score), "0 to 1", label, name)
        for label, column in labels.items()
    ]
    if has_status(score):
        fields.append(make_field(f"{name}_status", text, _STATUS.format(name), None, score=name))
    fields.append(make_field(f"{name}_config", text, _CONFIG.format(name), None, score=name))
    return fields


def has_status(score: ScorePlan) -> bool:
    """Whether a score has a column that says why it is null: it is not for every document."""
    return bool(score.when) or score.gives == "choices" or score.pair is not None


_STATUS = "ok, or why the document was not asked for its {}."
_CONFIG = "Hash of all that decides {}; configs.parquet says what it stands for."


def _meaning(score: ScorePlan) -> str:
    rule = "adds up to 1" if score.sums_to_one else "scored by itself"
    if score.asked is None:
        over = " over the labels" if score.sums_to_one else ""
        return f"Score of the {score.name} label; {rule}{over}."
    over = f" over the {score.asked} labels" if score.sums_to_one else f", {score.asked} labels"
    return (
        f"Score of the {score.name} label; {rule}{over} that a document is asked about, else null."
    )


def make_field(
    name: str,
    kind: pa.DataType,
    description: str,
    unit: str | None,
    label: str | None = None,
    score: str | None = None,
    column: str | None = None,
) -> pa.Field:
    """A column with what it means, and its unit, label, score and source column, if it has them."""
    about = {"description": description, "unit": unit, "label": label, "score": score}
    about["column"] = column
    return pa.field(name, kind, metadata={k: v for k, v in about.items() if v is not None})
