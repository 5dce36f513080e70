"""Run a genuine Milvus 2.3.5 and put binlogs into it.

    driver.py FOLDER      start the server with its data below FOLDER, answer requests from standard input, stop when it closes

It must be started in a network namespace of its own, and brings up the loopback there.

A request and its answer are one line of JSON each. The first line out is {"ready": seconds}. A request is

    {"collection": NAME, "dynamic": bool, "fields": [{"name", "type", "primary", "dim", "max_length", "element", "max_capacity"}],
     "partitions": [{"name", "insert": FOLDER, "delta": FOLDER or ""}]}

The collection is created, which gives its fields the ids 100, 101, ... in order ($meta last); each partition's segments are imported
from FOLDER/<segment>/<field>/<log> and FOLDER/<segment>/<log>, as restoring a backup does; the answer is {"rows": [{...}], "count": n}
with what the server then returns, or {"error": text}. Floats are numbers, binary vectors base64, JSON the text as stored.
"""
import base64
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time

out = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)                    # whatever the libraries print is not an answer

from milvus import MilvusServer, MilvusServerConfig
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections, utility
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import common_pb2, milvus_pb2

LIMIT = 16384                    # rows of one query
PATIENCE = 240                   # seconds for one import or load


def raise_loopback():
    """What `ip link set lo up` does, which not every machine has."""
    SIOCSIFFLAGS, IFF_UP = 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack('16sh14x', b'lo', IFF_UP))


def start(folder):
    s = MilvusServer(MilvusServerConfig(), wait_for_started=True)
    s.set_base_dir(folder)
    for component in ('rootCoord', 'proxy', 'queryCoord', 'queryNode', 'indexNode', 'dataCoord', 'dataNode'):
        s.config.set(component + '.ip', '127.0.0.1')
    s.config.set('etcd.endpoints', '127.0.0.1:2379')
    s.config.set('minio.address', '127.0.0.1')
    s.start()
    connections.connect('default', host='127.0.0.1', port=str(s.listen_port))
    return s


def stop(s):
    """Nobody will want its data again."""
    if s.server_proc is not None:
        s.server_proc.kill()


def stub():
    return connections._fetch_handler('default')._stub


def create(request):
    name = request['collection']
    if utility.has_collection(name):
        utility.drop_collection(name)
    fields = []
    for f in request['fields']:
        more = {k: f[k] for k in ('dim', 'max_length', 'max_capacity') if f.get(k)}
        if f.get('element'):
            more['element_type'] = DataType(f['element'])
        fields.append(FieldSchema(f['name'], DataType(f['type']), is_primary=bool(f.get('primary')), **more))
    c = Collection(name, CollectionSchema(fields, enable_dynamic_field=bool(request.get('dynamic'))), shards_num=1)
    for f in c.schema.fields:
        if f.dtype == DataType.FLOAT_VECTOR:
            c.create_index(f.name, {'index_type': 'FLAT', 'metric_type': 'L2', 'params': {}})
        elif f.dtype == DataType.BINARY_VECTOR:
            c.create_index(f.name, {'index_type': 'BIN_FLAT', 'metric_type': 'HAMMING', 'params': {}})
    return c


def bring_in(c, part):
    """Import with backup=true takes binlogs; the client's own call drops that option."""
    if not c.has_partition(part['name']):
        c.create_partition(part['name'])
    r = stub().Import(milvus_pb2.ImportRequest(
        collection_name=c.name, partition_name=part['name'], files=[part['insert'] + '/', part['delta'] + '/' if part.get('delta') else ''],
        options=[common_pb2.KeyValuePair(key='backup', value='true')]), timeout=30)
    if r.status.code or r.status.error_code:
        raise RuntimeError(str(r.status))
    end = time.time() + PATIENCE
    while time.time() < end:
        state = utility.get_bulk_insert_state(r.tasks[0])
        if state.state_name == 'Completed':
            return
        if state.state_name.startswith('Failed'):
            raise RuntimeError(f'{part["name"]}: {state.state_name}: {state.failed_reason}')
        time.sleep(0.2)
    raise RuntimeError('the import does not end')


def number(v):
    if v != v:
        return 'NaN'
    return v if abs(v) != float('inf') else ('Infinity' if v > 0 else '-Infinity')


def scalars(s):
    kind = s.WhichOneof('data')
    if kind is None:
        return []
    data = list(getattr(s, kind).data)
    if kind in ('float_data', 'double_data'):
        return [number(v) for v in data]
    if kind in ('json_data', 'bytes_data'):
        return [v.decode() for v in data]
    if kind == 'array_data':
        return [scalars(v) for v in data]
    return data


def values(f):
    if f.type == DataType.FLOAT_VECTOR:
        d, v = f.vectors.dim, f.vectors.float_vector.data
        return [[number(x) for x in v[i:i + d]] for i in range(0, len(v), d)]
    if f.type == DataType.BINARY_VECTOR:
        d, v = f.vectors.dim // 8, f.vectors.binary_vector
        return [base64.b64encode(v[i:i + d]).decode() for i in range(0, len(v), d)]
    return scalars(f.scalars)


def rows(c):
    names = [f.name for f in c.schema.fields] + (['$meta'] if c.schema.enable_dynamic_field else [])
    pk = c.schema.primary_field
    everything = f'{pk.name} > -9223372036854775807' if pk.dtype == DataType.INT64 else f'{pk.name} >= ""'
    request = Prepare.query_request(c.name, everything, names, [], consistency_level=0, guarantee_timestamp=0, limit=LIMIT)
    request.use_default_consistency = False
    request.consistency_level = 0        # strong
    request.guarantee_timestamp = 0
    r = stub().Query(request, timeout=120)
    if r.status.code or r.status.error_code:
        raise RuntimeError(str(r.status))
    columns = {f.field_name or '$meta': values(f) for f in r.fields_data}
    return [dict(zip(columns, row)) for row in zip(*columns.values(), strict=True)]


def answer(request):
    c = create(request)
    for part in request['partitions']:
        bring_in(c, part)
    c.load(timeout=PATIENCE)
    count = c.query('', output_fields=['count(*)'], consistency_level='Strong')[0]['count(*)']
    return {'rows': rows(c), 'count': count}


def say(message):
    print(json.dumps(message), file=out, flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    begin = time.time()
    raise_loopback()
    server = start(os.path.abspath(sys.argv[1]))
    try:
        say({'ready': round(time.time() - begin, 1)})
        for line in sys.stdin:
            try:
                say(answer(json.loads(line)))
            except Exception as e:
                say({'error': f'{type(e).__name__}: {e}'})
    finally:
        stop(server)
        os._exit(0)


if __name__ == '__main__':
    main()
