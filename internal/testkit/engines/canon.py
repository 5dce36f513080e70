"""One spelling for a value, whatever engine it came through.

A canonical value is what JSON can say: integers and booleans as they are, text as it is, floating-point numbers as numbers
(the sign of zero is kept) or the strings NaN, Infinity and -Infinity, instants as microseconds since 1970, dates as ISO text,
binary as base64, lists as lists, maps and structs as objects with text keys. NULL is null.
"""
import base64
import json
import math

import pyarrow as pa

SPECIAL = {"NaN", "Infinity", "-Infinity"}


def number(x):
    """A float as canonical value."""
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return x


def is_list(t):
    return pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t)


def is_pairs(t):
    """The other form of a sparse vector: struct<indices list, values list>."""
    return pa.types.is_struct(t) and {t.field(i).name for i in range(t.num_fields)} == {"indices", "values"}


def storage(t):
    """The type without extension and dictionary, and with instants and times as integers: Python's own date types have no
    year beyond 9999."""
    if isinstance(t, pa.BaseExtensionType):
        t = t.storage_type
    if pa.types.is_dictionary(t):
        t = t.value_type
    if pa.types.is_timestamp(t) or pa.types.is_time64(t):
        return pa.int64()
    if pa.types.is_fixed_size_list(t):
        return pa.list_(t.value_field.with_type(storage(t.value_type)), t.list_size)
    if pa.types.is_large_list(t):
        return pa.large_list(t.value_field.with_type(storage(t.value_type)))
    if pa.types.is_list(t):
        return pa.list_(t.value_field.with_type(storage(t.value_type)))
    if pa.types.is_map(t):
        return pa.map_(storage(t.key_type), t.item_field.with_type(storage(t.item_type)))
    if pa.types.is_struct(t):
        return pa.struct([t.field(i).with_type(storage(t.field(i).type)) for i in range(t.num_fields)])
    return t


BITS = {pa.float16(): pa.uint16(), pa.float32(): pa.uint32(), pa.float64(): pa.uint64()}


def bits(t):
    """The type with every floating-point number as the integer of the same bits."""
    if is_list(t):
        return pa.list_(t.value_field.with_type(bits(t.value_type))) if pa.types.is_list(t) else pa.large_list(t.value_field.with_type(bits(t.value_type)))
    if pa.types.is_map(t):
        return pa.map_(t.key_field, t.item_field.with_type(bits(t.item_type)))
    if pa.types.is_struct(t):
        return pa.struct([t.field(i).with_type(bits(t.field(i).type)) for i in range(t.num_fields)])
    return BITS.get(t, t)


def as_bits(table):
    """The table with the same bytes read as integers, so that NaN differs from NaN."""
    types = [bits(c.type) for c in table.columns]
    return pa.table([pa.chunked_array([a.view(t) for a in c.chunks], t) for c, t in zip(table.columns, types)], names=table.column_names)


def micros(t):
    """The type with every instant in microseconds; casting to it fails where something would be lost."""
    if pa.types.is_timestamp(t):
        return pa.timestamp("us", t.tz)
    if is_list(t) and pa.types.is_timestamp(t.value_type):
        return pa.list_(t.value_field.with_type(micros(t.value_type)))
    return t


def column(chunked):
    """An Arrow column as (type, canonical values)."""
    if isinstance(chunked.type, pa.BaseExtensionType):
        chunked = pa.chunked_array([c.storage for c in chunked.chunks], chunked.type.storage_type)
    us = micros(chunked.type)
    if us != chunked.type:
        chunked = chunked.cast(us)
    t = storage(chunked.type)
    if t != chunked.type:
        chunked = chunked.cast(t)
    return t, [value(t, v) for v in chunked.to_pylist()]


def value(t, v):
    """A Python value of Arrow type t as canonical value."""
    if v is None:
        return None
    if pa.types.is_floating(t):
        return number(float(v))
    if isinstance(v, (bool, int, str)):
        return v
    if isinstance(v, (bytes, bytearray)):
        return base64.b64encode(v).decode()
    if is_list(t):
        return [value(t.value_type, x) for x in v]
    if pa.types.is_map(t):
        out = {str(k): value(t.item_type, x) for k, x in v}
        if len(out) != len(v):
            raise ValueError("a map holds one key twice: %r" % (v,))
        return out
    if is_pairs(t):
        return {str(k): number(float(x)) for k, x in zip(v["indices"], v["values"], strict=True)}
    if pa.types.is_struct(t):
        return {t.field(i).name: value(t.field(i).type, v[t.field(i).name]) for i in range(t.num_fields)}
    return str(v)


def text(v):
    """A canonical value as text: equal values give equal text, different values different text."""
    return json.dumps(v, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def rows(table):
    """The rows of an Arrow table as objects of canonical values."""
    names = table.column_names
    values = [column(c)[1] for c in table.columns]
    for row in zip(*values):
        yield dict(zip(names, row))
