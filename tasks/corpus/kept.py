"""Source columns that travel to the results: readable values and one type each."""

import pyarrow as pa

from tasks.corpus.columnar import is_text, plain
from tasks.corpus.document_tables import DOCUMENT_SCHEMA
from tasks.errors import UsageError


def kept_values(array: pa.Array) -> pa.Array:
    """A column as it is kept: its own type without dictionaries, its texts valid Unicode.

    Bytes in a text that are not UTF-8 become replacement characters.

    Raises:
        UsageError: if texts inside a nested value are not UTF-8.
    """
    array = plain(array)
    if not (is_text(array.type) or pa.types.is_nested(array.type)):
        return array
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        if pa.types.is_nested(array.type):
            reason = str(error).splitlines()[0][:200]
            raise UsageError(f"a kept column of {array.type} cannot be read: {reason}") from None
        data = array.cast(pa.large_binary()).to_pylist()
        texts = [None if value is None else value.decode("utf-8", "replace") for value in data]
        return pa.array(texts, array.type)
    return array


def with_types(kept: pa.Schema, documents: pa.Schema, uri: str) -> pa.Schema:
    """The kept columns' types so far, joined with those of one more table of documents.

    Args:
        uri: where the documents come from, for the error.

    Raises:
        UsageError: if no type holds the values of both.
    """
    found = pa.schema(list(documents)[len(DOCUMENT_SCHEMA) :])
    try:
        return pa.unify_schemas([kept, found], promote_options="permissive")
    except pa.ArrowException:
        name = next(f.name for f in found if not _fits(kept.field(f.name).type, f.type))
        raise UsageError(
            f"{uri}: the kept column {name!r} is {found.field(name).type} here and "
            f"{kept.field(name).type} in the files before; store it with one type"
        ) from None


def _fits(a: pa.DataType, b: pa.DataType) -> bool:
    try:
        schemas = [pa.schema([pa.field("x", kind)]) for kind in (a, b)]
        pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException:
        return False
    return True
