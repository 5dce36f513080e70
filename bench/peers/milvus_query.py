#!/usr/bin/env python3
"""Peer of snapexport: a collection of a running Milvus to Parquet, by its query API. Vectors uncompressed, scalars zstd-1.

usage: milvus_query.py raw|iterator OUT [--port N]
iterator  pymilvus's query_iterator, as its documentation shows it: rows as dictionaries
raw       a careful client: one Query call after the other, ordered by key, columns taken from the messages as they are
"""
import argparse, json, os
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from pymilvus import Collection, connections

BATCH = 16384                    # the most that a query returns
DIM = 128
NAMES = ['id', 'title', 'doc', 'vec']
SCHEMA = pa.schema([('id', pa.int64()), ('title', pa.string()), ('doc', pa.string()), ('vec', pa.list_(pa.float32()))])


def table(ids, titles, docs, floats):
    offsets = pa.array(np.arange(0, len(floats) + 1, DIM, dtype=np.int32))
    return pa.table([pa.array(ids, pa.int64()), pa.array(titles, pa.string()), pa.array(docs, pa.string()), pa.ListArray.from_arrays(offsets, pa.array(floats, pa.float32()))], schema=SCHEMA)


def iterator(c):
    it = c.query_iterator(batch_size=BATCH, expr='id >= 0', output_fields=NAMES)
    while rows := it.next():
        yield table([r['id'] for r in rows], [r['title'] for r in rows], [json.dumps(r['doc'], ensure_ascii=False, separators=(',', ':')) for r in rows],
                    np.asarray([r['vec'] for r in rows], dtype=np.float32).reshape(-1))
    it.close()


def raw(c):
    from pymilvus.client.prepare import Prepare
    stub, last = connections._fetch_handler('default')._stub, -1
    while True:
        reply = stub.Query(Prepare.query_request(c.name, f'id > {last}', NAMES, [], limit=BATCH, consistency_level=2))
        if reply.status.code or reply.status.error_code:
            raise RuntimeError(str(reply.status))
        f = {x.field_name: x for x in reply.fields_data}
        ids = np.asarray(f['id'].scalars.long_data.data, dtype=np.int64)
        if not len(ids):
            return
        yield table(ids, list(f['title'].scalars.string_data.data), [b.decode() for b in f['doc'].scalars.json_data.data],
                    np.asarray(f['vec'].vectors.float_vector.data, dtype=np.float32))
        last = int(ids.max())
        if len(ids) < BATCH:
            return


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('how', choices=['raw', 'iterator']); ap.add_argument('out'); ap.add_argument('--port', default='19530')
    o = ap.parse_args()
    connections.connect('default', host='127.0.0.1', port=o.port)
    os.makedirs(o.out, exist_ok=True)
    codec = {'id': 'ZSTD', 'title': 'ZSTD', 'doc': 'ZSTD', 'vec.list.element': 'NONE'}
    with pq.ParquetWriter(o.out + '/rows.parquet', SCHEMA, compression=codec, compression_level={n: 1 for n, k in codec.items() if k == 'ZSTD'}, use_dictionary=False, store_schema=False) as w:
        for t in {'raw': raw, 'iterator': iterator}[o.how](Collection('bench')):
            w.write_table(t)


main()
