"""The columns of the results as those of a Delta table."""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nocturna.tasks.errors import UsageError

if TYPE_CHECKING:
    from deltalake import Schema

_WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.float16(): pa.float32(),
}


def table_schema(schema: pa.Schema) -> "Schema":
    """The columns of the results as a Delta table has them.

    Delta has no unsigned integers and no half floats: these become the next wider type.

    Raises:
        UsageError: a kept column has a type that a Delta table cannot hold.
    """
    from deltalake import Schema

    fields = []
    for field in schema:
        try:
            one = pa.schema([field.with_type(_widened(field.type))])
            fields += Schema.from_arrow(one).fields
        except Exception:
            raise UsageError(
                f"output.table: column {field.name!r} is {field.type}, which a Delta table cannot "
                "hold; leave it out of source.keep or store it as another type"
            ) from None
    return Schema(fields)


def same_table_columns(one: "Schema", other: "Schema") -> bool:
    """Whether two schemas have the same columns: names, types, order and original labels."""
    return _described(one) == _described(other)


def _described(schema: "Schema") -> list[tuple[str, Any, Any]]:
    return [(field.name, field.type, field.metadata.get("label")) for field in schema.fields]


def _widened(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_uint64(kind):
        raise pa.ArrowTypeError(str(kind))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_widened(field.type)) for field in kind.fields])
    if pa.types.is_map(kind):
        return pa.map_(_widened(kind.key_type), _widened(kind.item_type))
    if pa.types.is_nested(kind) and hasattr(kind, "value_type"):
        return pa.list_(_widened(kind.value_type))
    return _WIDER.get(kind, kind)
