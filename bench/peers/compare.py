#!/usr/bin/env python3
"""Rows and an order-independent hash of the Parquet files below a folder, as one JSON object.

usage: compare.py DIR
Columns are taken by name, in order of name. A row's hash mixes those of its cells; the multiset's hash is the sum of the
rows' hashes modulo 2^64, twice with different constants. Floats count by their bits, NULLs and lengths of lists count. Everything
is vectorised.
"""
import glob, json, os, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq

NULL = np.uint64(0x6E756C6C)
drawn = {}


def constants(seed, n):
    """n odd numbers; those of a smaller n begin the same"""
    if len(drawn.get(seed, ())) < n:
        drawn[seed] = np.random.Generator(np.random.PCG64(seed)).integers(0, 1 << 64, max(n, 64), dtype=np.uint64) | np.uint64(1)
    return drawn[seed][:n]


def mix(h):
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def runs(terms, offsets, seed):
    """one hash for each run of terms, which depends on their order and number"""
    size = np.diff(offsets)
    terms = terms[offsets[0]:offsets[-1]]
    at = np.arange(len(terms)) - np.repeat(offsets[:-1] - offsets[0], size)
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum((terms + np.uint64(1)) * constants(seed, int(size.max(initial=0)))[at], dtype=np.uint64)])
    return mix(total[offsets[1:] - offsets[0]] - total[offsets[:-1] - offsets[0]] + size.astype(np.uint64))


def offsets_of(a):
    return np.frombuffer(a.buffers()[1], np.int32, len(a) + 1, a.offset * 4).astype(np.int64)


def cells(a, seed):
    """one 64-bit hash for each value"""
    h = known(a, seed)
    if a.null_count:
        h = np.where(a.is_null().to_numpy(zero_copy_only=False), NULL, h)
    return h


def known(a, seed):
    t = a.type
    if pa.types.is_map(t):
        keys, items = cells(a.keys, seed), cells(a.items, seed + 1)
        return runs(mix(keys * np.uint64(3) + items), offsets_of(a), seed)
    if pa.types.is_list(t):
        if pa.types.is_float32(t.value_type) and not a.null_count and not a.values.null_count:
            o = offsets_of(a)
            size = np.diff(o)
            if len(a) and size.min() == size.max() > 0:                # vectors
                rows = a.values.to_numpy()[o[0]:o[-1]].view(np.uint32).reshape(len(a), -1).astype(np.uint64)
                return mix((rows * constants(seed, rows.shape[1])).sum(axis=1, dtype=np.uint64))
        return runs(cells(a.values, seed + 1), offsets_of(a), seed)
    if pa.types.is_boolean(t):
        a = a.cast(pa.int64())
    if pa.types.is_integer(a.type):
        return mix(a.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64) * constants(seed, 1)[0])
    if pa.types.is_floating(t):
        kind = np.uint32 if pa.types.is_float32(t) else np.uint64
        return mix(a.fill_null(0).to_numpy(zero_copy_only=False).view(kind).astype(np.uint64) * constants(seed, 1)[0])
    if pa.types.is_fixed_size_binary(t):
        a = a.cast(pa.binary())
    if not pa.types.is_string(a.type) and not pa.types.is_binary(a.type):
        raise ValueError(f'type {t}')
    o = offsets_of(a)
    return runs(np.frombuffer(a.buffers()[2] or b'', np.uint8).astype(np.uint64), o, seed)


def main():
    files = sorted(glob.glob(os.path.join(sys.argv[1], '**', '*.parquet'), recursive=True))
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
                    h = mix(h + cells(batch.column(name), 1000 * k + 10 * i))
                sums[k] = (sums[k] + int(h.sum(dtype=np.uint64))) % (1 << 64)
            rows += len(batch)
    print(json.dumps({'rows': rows, 'columns': names, 'hash': '%016x%016x' % tuple(sums)}))


main()
