"""Candidate labels as a user gives them."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from tasks.naming import RESERVED_SLUGS, slug
from tasks.sections.base import split_list


def _distinct_columns(labels: Any) -> Any:
    columns: dict[str, str] = {}
    for label in labels or ():
        name = slug(label)
        if not name:
            raise ValueError(f"label {label!r} has no letter or digit to name a column with")
        if name in RESERVED_SLUGS:
            raise ValueError(f"label {label!r} would become the column ..._{name}, which is taken")
        if label in columns.values():
            raise ValueError(f"label {label!r} is given twice")
        if name in columns:
            raise ValueError(
                f"labels {columns[name]!r} and {label!r} both become the column ..._{name}"
            )
        columns[name] = label
    return labels


Labels = Annotated[
    tuple[str, ...] | None, BeforeValidator(split_list), AfterValidator(_distinct_columns)
]
"""Labels separated by commas or as a list, each with a column name of its own."""


def one_slot(template: str | None) -> str | None:
    """A hypothesis template that has a place for the label.

    Raises:
        ValueError: it has none, or more than one.
    """
    if template is not None and template.count("{}") != 1:
        raise ValueError(f"template {template!r} needs exactly one {{}} for the label")
    return template
