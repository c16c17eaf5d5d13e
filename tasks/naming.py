"""Column names made from labels."""

import re
import unicodedata

RESERVED_SLUGS = frozenset({"score", "scores", "labels", "config", "status"})
"""What follows the name of a score in columns that are not labels."""


def slug(label: str) -> str:
    """The column-name form of a label: lower case ASCII letters, digits and underscores.

    >>> slug("Computación e IA")
    'computacion_e_ia'
    """
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
