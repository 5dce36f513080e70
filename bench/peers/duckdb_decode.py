#!/usr/bin/env python3
"""Peer of snapexport: all rows of a collection of storage V2 to Arrow by DuckDB with one thread, thrown away.

usage: duckdb_decode.py DATASET
Column groups are read one after the other: DuckDB has no join by position of two files.
"""
import glob, json, os, sys
import duckdb

db = duckdb.connect(config={'threads': 1})
rows = {}
for group in sorted({os.path.basename(g) for g in glob.glob(sys.argv[1] + '/files/insert_log/*/*/*/*')}):
    files = sorted(glob.glob(f'{sys.argv[1]}/files/insert_log/*/*/*/{group}/*'))
    reader = db.sql(f'SELECT * FROM read_parquet({files!r})').to_arrow_reader(8192)
    rows[group] = sum(len(batch) for batch in reader)
print(json.dumps({'rows': rows}))
