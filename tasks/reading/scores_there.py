"""The scores that published rows have, read from their schema."""

from dataclasses import dataclass

import pyarrow as pa

from nocturna.tasks.results.schema import score_columns, score_names


@dataclass(frozen=True)
class ScoreThere:
    """A score of published rows.

    Attributes:
        labels: the column of each label; none where documents bring their own, or it is a number.
        gives: `labels`, `choices` (each document's own labels) or `number`.
        has_status: whether `<name>_status` says why it is null.
        has_config: whether `<name>_config` says what it was computed with.
    """

    name: str
    labels: dict[str, str]
    gives: str
    has_status: bool
    has_config: bool

    @property
    def has_label(self) -> bool:
        return self.gives != "number"


def scores_there(schema: pa.Schema) -> dict[str, ScoreThere]:
    """Every score by its name, in the order of the columns."""
    return {name: _score(schema, name) for name in score_names(schema)}


def _score(schema: pa.Schema, name: str) -> ScoreThere:
    labels = score_columns(schema, name)
    chosen = "choices" if f"{name}_labels" in schema.names else "labels"
    return ScoreThere(
        name,
        labels,
        chosen if f"{name}_score" in schema.names else "number",
        f"{name}_status" in schema.names,
        f"{name}_config" in schema.names,
    )
