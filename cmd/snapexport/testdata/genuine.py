"""A collection through pymilvus, and what the server then keeps in etcd, decoded here by docs/format/etcd.md alone: genuine.py URI ETCD BUCKET TRUTH.

Messages are taken apart by their wire format; no generated code is used. The rows that a Strong query returns go to the file TRUTH, one JSON each.
"""
import json
import logging
import os
import sys
import time

import grpc
from pymilvus import DataType, MilvusClient

logging.disable(logging.CRITICAL)
uri, etcd, bucket, truth = sys.argv[1:5]


# ---- protobuf, by hand
def varint(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 127) << shift
        shift, i = shift + 7, i + 1
        if b[i - 1] < 128:
            return n, i


def message(b):
    """Values by number: ints and bytes, each as often as it came."""
    out, i = {}, 0
    while i < len(b):
        tag, i = varint(b, i)
        if tag & 7 == 0:
            v, i = varint(b, i)
        elif tag & 7 == 2:
            n, i = varint(b, i)
            v, i = b[i:i + n], i + n
            assert len(v) == n
        else:
            size = {1: 8, 5: 4}[tag & 7]
            v, i = int.from_bytes(b[i:i + size], 'little'), i + size
        out.setdefault(tag >> 3, []).append(v)
    return out


def one(m, number, zero=0):
    return m.get(number, [zero])[-1]


def text(m, number):
    return one(m, number, b'').decode()


def signed(v):
    return v - (1 << 64) if v >> 63 else v


def ints(m, number):
    """A repeated integer, packed or not."""
    out = []
    for v in m.get(number, []):
        if isinstance(v, int):
            out.append(v)
            continue
        i = 0
        while i < len(v):
            n, i = varint(v, i)
            out.append(n)
    return out


def pairs(m, number):
    return {text(p, 1): text(p, 2) for p in map(message, m.get(number, []))}


# ---- etcd: all keys, at one revision
def field(number, b):
    return bytes([number << 3 | 2, len(b)]) + b


def everything():
    with grpc.insecure_channel(etcd) as channel:
        call = channel.unary_unary('/etcdserverpb.KV/Range', request_serializer=bytes, response_deserializer=bytes)
        r = message(call(field(1, b'\0') + field(2, b'\0'), timeout=30))
    rows = map(message, r[2])
    return {text(kv, 1): one(kv, 5, b'') for kv in rows}


# ---- the collection
def make():
    client = MilvusClient(uri=uri)
    schema = client.create_schema(enable_dynamic_field=True, description='for another reader')
    schema.add_field('pk', DataType.INT64, is_primary=True)
    schema.add_field('flag', DataType.BOOL)
    schema.add_field('tiny', DataType.INT8)
    schema.add_field('small', DataType.INT16)
    schema.add_field('n', DataType.INT32)
    schema.add_field('f', DataType.FLOAT)
    schema.add_field('d', DataType.DOUBLE)
    schema.add_field('s', DataType.VARCHAR, max_length=40)
    schema.add_field('j', DataType.JSON)
    schema.add_field('list', DataType.ARRAY, element_type=DataType.INT64, max_capacity=5)
    schema.add_field('vec', DataType.FLOAT_VECTOR, dim=4)
    client.create_collection('genuine', schema=schema, num_shards=2, consistency_level='Session', properties={'my.own': 'x'})
    client.create_partition('genuine', 'p_red')
    index = client.prepare_index_params()
    index.add_index('vec', index_name='vi', index_type='FLAT', metric_type='IP')
    client.create_index('genuine', index)
    client.create_alias('genuine', 'aka')

    def row(i, mark):
        return {'pk': i, 'flag': i % 2 == 0, 'tiny': i % 100, 'small': -i, 'n': i * 7, 'f': i / 8, 'd': i / 3, 's': f'ü {i} {mark}', 'j': {'k': [i, None, 'x']},
                'list': list(range(i % 5)), 'vec': [i, 0.5, -i, mark], 'extra': i, **({'more': 'yes'} if i % 2 else {})}

    client.insert('genuine', [row(i, 0) for i in range(300)])
    client.insert('genuine', [row(i, 0) for i in range(1000, 1100)], partition_name='p_red')
    client.flush('genuine')
    client.upsert('genuine', [row(i, 1) for i in range(40, 60)])
    client.delete('genuine', filter='pk in [3, 4, 1005]')
    client.delete('genuine', filter='pk >= 290 and pk < 300')
    client.flush('genuine')
    client.load_collection('genuine')
    found = client.query('genuine', filter='pk >= 0', output_fields=['*'], consistency_level='Strong')
    assert len(found) == 300 + 100 - 3 - 10, len(found)
    keys = client.describe_collection('genuine')['fields']
    with open(truth, 'w') as f:
        for r in found:
            r = {k: [float(x) for x in v] if k == 'vec' else list(v) if k == 'list' else v
                 for k, v in r.items() if k in {x['name'] for x in keys}}
            f.write(json.dumps(r) + '\n')
    client.create_snapshot('s1', 'genuine', description='the first')
    # what another server imports is of one kind of segments: without deletes that others than its own have
    job = client.restore_snapshot('s1', 'genuine', 'clean')
    while (state := client.get_restore_snapshot_state(job)).state not in ('RestoreSnapshotCompleted', 'RestoreSnapshotFailed'):
        time.sleep(0.05)
    assert state.state == 'RestoreSnapshotCompleted', state
    client.compact('clean')
    client.create_snapshot('s2', 'clean')
    job = client.restore_snapshot('s2', 'clean', 'cleaner')
    while (state := client.get_restore_snapshot_state(job)).state not in ('RestoreSnapshotCompleted', 'RestoreSnapshotFailed'):
        time.sleep(0.05)
    client.create_snapshot('s3', 'cleaner')
    return client, len(found)


# ---- what is kept of it
KNOWN = ['root-coord/database/', 'root-coord/fields/', 'root-coord/partitions/', 'datacoord-meta/s/', 'datacoord-meta/binlog/', 'datacoord-meta/deltalog/',
         'datacoord-meta/statslog/', 'datacoord-meta/channel-cp/', 'datacoord-meta/snapshot/', 'datacoord-meta/copy-segment-job/', 'datacoord-meta/copy-segment-task/',
         'field-index/', 'segment-index/', 'session/', 'snapexport/']


def check(client, live):
    kvs = everything()
    meta = {k[len('by-dev/meta/'):]: v for k, v in kvs.items() if k.startswith('by-dev/meta/')}
    for key in meta:
        assert any(key.startswith(p) for p in KNOWN), key
    for key in kvs:
        assert key.startswith(('by-dev/meta/', 'by-dev/kv/', 'by-dev/snapexport/')), key

    def below(prefix):
        return {k: message(v) for k, v in meta.items() if k.startswith(prefix)}

    databases = list(below('root-coord/database/db-info/').values())
    assert [(text(d, 2), one(d, 3), one(d, 4)) for d in databases] == [('default', 1, 1)], databases
    shown = client.describe_collection('genuine')
    c = shown['collection_id']
    m = message(meta[f'root-coord/database/collection-info/1/{c}'])
    schema = message(one(m, 2))
    assert one(m, 1) == c and one(m, 15, 0) == 1 and one(m, 13) == 0 and one(m, 10) == 2 and one(m, 12) == 1, m
    assert text(schema, 1) == 'genuine' and text(schema, 2) == shown['description'] and one(schema, 5) == 1 and not {4, 6, 7, 9} & schema.keys(), schema
    assert pairs(m, 14)['my.own'] == 'x', m
    virtual, physical = [v.decode() for v in m[7]], [v.decode() for v in m[8]]
    assert len(set(virtual)) == 2 and virtual == [f'{p}_{c}v{i}' for i, p in enumerate(physical)], (virtual, physical)
    created = one(m, 3)
    assert abs((created >> 18) / 1000 - time.time()) < 600, created

    fields = {int(k.rsplit('/', 1)[1]): f for k, f in below(f'root-coord/fields/{c}/').items()}
    for number, f in fields.items():
        assert one(f, 1) == number
    assert text(fields[0], 2) == 'RowID' and text(fields[1], 2) == 'Timestamp' and one(fields[0], 5) == one(fields[1], 5) == 5, fields
    assert [(f['field_id'], f['name'], int(f['type'])) for f in shown['fields']] == [(i, text(f, 2), one(f, 5)) for i, f in sorted(fields.items()) if i > 99 and not one(f, 12)], fields
    assert one(fields[100], 3) == 1 and pairs(fields[107], 6) == {'max_length': '40'} and one(fields[109], 10) == 5 and text(fields[111], 2) == '$meta' and one(fields[111], 12) == 1
    partitions = {}
    for key, p in below(f'root-coord/partitions/{c}/').items():
        assert key.endswith(f'/{one(p, 1)}') and one(p, 4) == c and one(p, 5) == 0 and one(p, 3) >= created, (key, p)
        partitions[text(p, 2)] = one(p, 1)
    assert set(partitions) == {'_default', 'p_red'}, partitions
    alias = message(meta['root-coord/database/aliases/1/aka'])
    assert text(alias, 1) == 'aka' and one(alias, 2) == c and one(alias, 4) == 0 and one(alias, 5) == 1, alias

    # segments, their logs, and files at the keys that the ids give
    rows = deletes = 0
    latest = created
    segments = below(f'datacoord-meta/s/{c}/')
    for key, s in segments.items():
        p, i = key.split('/')[-2:]
        assert (one(s, 1), one(s, 2), signed(one(s, 3))) == (int(i), c, int(p)) and text(s, 4) in virtual, s
        assert int(p) in partitions.values() or int(p) == -1 and one(s, 20) == 1, s
        assert one(s, 6) == 4 and one(s, 21) == 0 and not {11, 12, 13, 27} & s.keys(), s
        logs = {}
        for kind, folder in (('binlog', 'insert_log'), ('deltalog', 'delta_log'), ('statslog', 'stats_log')):
            for name, log in below(f'datacoord-meta/{kind}/{c}/{p}/{i}/').items():
                number = int(name.rsplit('/', 1)[1])
                assert one(log, 1) == number, name
                chunks = [message(b) for b in log.get(2, [])]
                for b in chunks:
                    assert 4 not in b and one(b, 6) > 0 and one(b, 5) > 0, b
                    file = f'{bucket}/files/{folder}/{c}/{p}/{i}/' + (f'{one(b, 6)}' if kind == 'deltalog' else f'{number}/{one(b, 6)}')
                    assert os.path.getsize(file) > 0, file
                    if kind != 'statslog':
                        assert created < one(b, 2) <= one(b, 3), b
                logs.setdefault(kind, {})[number] = sum(one(b, 1) for b in chunks)
        if one(s, 20) == 1:
            assert set(logs) == {'deltalog'} and not one(s, 5), (s, logs)
            deletes += sum(logs['deltalog'].values())
        else:
            assert set(logs['binlog']) == set(fields) and set(logs['binlog'].values()) == {one(s, 5)} and list(logs['statslog']) == [100], (s, logs)
            rows += one(s, 5)
            for name, x in below(f'segment-index/{c}/{p}/{i}/').items():
                assert [one(x, n) for n in (1, 2, 3, 4, 9)] == [c, int(p), int(i), one(s, 5), 3] and name.endswith(f'/{one(x, 6)}'), x
                assert x[11], x
                for f in x[11]:
                    assert os.path.getsize(f'{bucket}/files/index_files/{one(x, 6)}/{one(x, 8)}/{p}/{i}/{f.decode()}') > 0, x
        start, end = message(one(s, 9, b'')), message(one(s, 10, b''))
        assert text(start, 1) in virtual + physical and one(start, 4) <= one(end, 4), (start, end)
        latest = max(latest, one(end, 4))
    assert rows == 300 + 100 + 20 and deletes == 20 + 3 + 10 and rows - deletes == live, (rows, deletes, live)
    for channel in virtual:
        p = message(meta[f'datacoord-meta/channel-cp/{channel}'])
        assert text(p, 1) == channel and one(p, 4) >= latest, p
    (name, index), = below(f'field-index/{c}/').items()
    info = message(one(index, 1))
    assert name.endswith(f'/{one(info, 4)}') and one(info, 1) == c and one(info, 2) == 110 and text(info, 3) == 'vi' and not one(index, 2), info
    assert pairs(info, 6) | {'index_type': 'FLAT', 'metric_type': 'IP'} == pairs(info, 6), info

    # the snapshot, and the allocators
    (name, s), = below(f'datacoord-meta/snapshot/{c}/').items()
    assert text(s, 1) == 's1' and name.endswith(f'/{one(s, 2)}') and text(s, 3) == 'the first' and one(s, 4) == c and one(s, 8) == 2 and 11 not in s, s
    assert set(ints(s, 5)) == set(partitions.values()) and os.path.exists(f'{bucket}/{text(s, 7)}') and latest <= one(s, 6) <= time.time() * 1000 * 2 ** 18, s
    marks = {k: int.from_bytes(v, 'big') for k, v in kvs.items() if k.startswith('by-dev/kv/')}
    assert len(kvs['by-dev/kv/gid/timestamp']) == len(kvs['by-dev/kv/gid/idTimestamp']) == 8, marks
    assert marks['by-dev/kv/gid/timestamp'] // 10**6 >= one(s, 6) >> 18 and marks['by-dev/kv/gid/idTimestamp'] // 10**6 >= one(s, 2) >> 18, marks
    return len(segments)


client, live = make()
assert check(client, live) >= 4
print('ok')
