"""Comma-separated values, and those that another character separates: a record a row."""

from nocturna.tasks.corpus.delimited_rows import columns, has_rows, names, other, read

__all__ = ["columns", "has_rows", "names", "other", "read"]

NAMES = ("csv", ".csv")
ABOUT = "a record behind the header"
PACKED = True
