"""Compares pairs of Parquet files, ours with genuine ones of the same rows, as pyarrow and DuckDB see them."""
import json
import sys

import duckdb
import pyarrow.parquet as pq

EXACT = (b"storage_version", b"group_field_id_list", b"ARROW:schema")


def columns(path):
    """Name, field id, physical and logical type, repetition, encodings and codec of every leaf."""
    meta = pq.ParquetFile(path).metadata
    out = []
    for i in range(meta.num_columns):
        leaf = meta.schema.column(i)
        chunk = meta.row_group(0).column(i)
        out.append((leaf.path, leaf.physical_type, str(leaf.logical_type), leaf.length, leaf.max_definition_level,
                    leaf.max_repetition_level, sorted(set(chunk.encodings)), chunk.compression))
    return out


def main(name):
    pairs = json.load(open(name))
    for p in pairs:
        theirs, ours = pq.ParquetFile(p["Theirs"]), pq.ParquetFile(p["Ours"])
        assert ours.schema_arrow.equals(theirs.schema_arrow), (p["Name"], ours.schema_arrow, theirs.schema_arrow)
        for a, b in zip(ours.schema_arrow, theirs.schema_arrow):
            assert a.metadata == b.metadata and a.metadata[b"PARQUET:field_id"], (p["Name"], a.metadata, b.metadata)
        for key in EXACT:
            assert ours.metadata.metadata.get(key) == theirs.metadata.metadata.get(key), (p["Name"], key)
        assert ours.metadata.num_row_groups == theirs.metadata.num_row_groups, p["Name"]
        for a, b in zip(columns(p["Ours"]), columns(p["Theirs"])):
            if a[0] in (p["Plain"] or []):
                assert a[-1] == "UNCOMPRESSED" and b[-1] == "ZSTD", (p["Name"], a, b)
                a, b = a[:-1], b[:-1]
            assert a == b, (p["Name"], a, b)
        assert ours.read().equals(theirs.read()), p["Name"]

        both = [f"read_parquet('{p[k]}', file_row_number=true)" for k in ("Ours", "Theirs")]
        ids = [duckdb.sql(f"SELECT name, field_id, type, repetition_type FROM parquet_schema('{p[k]}')").fetchall()[1:] for k in ("Ours", "Theirs")]  # the root's repetition means nothing
        assert ids[0] == ids[1], (p["Name"], ids)
        for a, b in (both, both[::-1]):
            (n,) = duckdb.sql(f"SELECT count(*) FROM (FROM {a} EXCEPT ALL FROM {b})").fetchone()
            assert n == 0, (p["Name"], n)
    print(len(pairs), "pairs")


main(sys.argv[1])
