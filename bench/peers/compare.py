#!/usr/bin/env python3
"""Rows and an order-independent hash of the Parquet files below a folder, as one JSON object.

usage: compare.py DIR
Columns are taken by name, in order of name. A row's hash mixes those of its cells; the multiset's hash is the sum of the
rows' hashes modulo 2^64, twice with different constants. Everything is vectorised; NULLs are refused.
"""
import glob, json, os, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq


def constants(seed, n):
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 1 << 64, n, dtype=np.uint64) | np.uint64(1)


def mix(h):
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def cells(a, seed):
    """one 64-bit hash for each value of an array without NULLs"""
    if a.null_count:
        raise ValueError('NULLs')
    if pa.types.is_list(a.type):
        flat = a.flatten()
        if flat.null_count:
            raise ValueError('NULL elements')
        rows = flat.to_numpy().view(np.uint32).reshape(len(a), -1).astype(np.uint64)
        return mix((rows * constants(seed, rows.shape[1])).sum(axis=1, dtype=np.uint64))
    if pa.types.is_integer(a.type):
        return mix(a.cast(pa.int64()).to_numpy().view(np.uint64) * constants(seed, 1)[0])
    if not pa.types.is_string(a.type):
        raise ValueError(f'type {a.type}')
    offsets = np.frombuffer(a.buffers()[1], np.int32)[a.offset:a.offset + len(a) + 1].astype(np.int64)
    size = np.diff(offsets)
    data = np.frombuffer(a.buffers()[2], np.uint8)[offsets[0]:offsets[-1]].astype(np.uint64)
    at = np.arange(len(data)) - np.repeat(offsets[:-1] - offsets[0], size)
    terms = (data + np.uint64(1)) * constants(seed, int(size.max(initial=0)))[at]
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    return mix(total[offsets[1:] - offsets[0]] - total[offsets[:-1] - offsets[0]])


def main():
    files = sorted(f for f in glob.glob(os.path.join(sys.argv[1], '**', '*.parquet'), recursive=True))
    rows, sums, names = 0, [0, 0], None
    for f in files:
        for batch in pq.ParquetFile(f).iter_batches(32768):
            order = sorted(batch.schema.names)
            if names not in (None, order):
                raise ValueError(f'{f}: columns {order}, elsewhere {names}')
            names = order
            for k in range(2):
                h = np.zeros(len(batch), np.uint64)
                for i, name in enumerate(order):
                    h = mix(h + cells(batch.column(name), 1000 * k + i))
                sums[k] = (sums[k] + int(h.sum(dtype=np.uint64))) % (1 << 64)
            rows += len(batch)
    print(json.dumps({'rows': rows, 'columns': names, 'hash': '%016x%016x' % tuple(sums)}))


main()
