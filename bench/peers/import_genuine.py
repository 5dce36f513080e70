#!/usr/bin/env python3
"""A genuine Milvus 2.3.5 that imports binlogs of a collection (id: Int64 key, vec: FloatVector).

usage: import_genuine.py FOLDER      (with the Python of .tools/milvus-venv, in a network namespace of its own)
Starts the server with its data below FOLDER and prints {"ready": s}. Each line of standard input {"insert": FOLDER, "dim": n,
"rows": n} is a collection to make, without an index, and an import of FOLDER/<segment>/<field>/<log>, as restoring a backup does, until it is
completed. The answer is {"wall_s", "server_s", "rows", "hash"} or {"error"}: the import's time, from the call on, and the server's processor
time; then, outside of these, number and hash of the rows that it returns. The hash is that of bench/core/rows.go.
"""
import json, os, sys, time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'internal', 'testkit', 'milvus235'))
import driver
import numpy as np
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, utility

NAME, PAGE, ODD = 'bench_core', 16000, 0x9E3779B97F4A7C15


def used(pid):
    with open(f'/proc/{pid}/stat') as f:
        parts = f.read().rsplit(') ', 1)[1].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf('SC_CLK_TCK')


def hashed(c, dim, rows):
    weights = np.array([((2 * j + 3) * ODD) % (1 << 64) for j in range(dim)], np.uint64)
    total = count = 0
    for first in range(0, rows, PAGE):
        request = driver.Prepare.query_request(c.name, f'id >= {first} and id < {first + PAGE}', ['id', 'vec'], [], consistency_level=0, guarantee_timestamp=0, limit=driver.LIMIT)
        request.use_default_consistency = False
        request.consistency_level = 0
        request.guarantee_timestamp = 0
        r = driver.stub().Query(request, timeout=120)
        if r.status.code or r.status.error_code:
            raise RuntimeError(str(r.status))
        columns = {f.field_name: f for f in r.fields_data}
        keys = np.array(columns['id'].scalars.long_data.data, np.int64)
        bits = np.array(columns['vec'].vectors.float_vector.data, np.float32).view(np.uint32).reshape(len(keys), dim).astype(np.uint64)
        h = keys.view(np.uint64) * np.uint64(ODD) + (bits * weights).sum(axis=1, dtype=np.uint64)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total = (total + int((h ^ (h >> np.uint64(31))).sum(dtype=np.uint64))) % (1 << 64)
        count += len(keys)
    return count, '%016x' % total


def bring_in(folder):
    r = driver.stub().Import(driver.milvus_pb2.ImportRequest(
        collection_name=NAME, partition_name='_default', files=[folder + '/', ''], options=[driver.common_pb2.KeyValuePair(key='backup', value='true')]), timeout=30)
    if r.status.code or r.status.error_code:
        raise RuntimeError(str(r.status))
    end = time.time() + driver.PATIENCE
    while time.time() < end:
        state = utility.get_bulk_insert_state(r.tasks[0])
        if state.state_name == 'Completed':
            return
        if state.state_name.startswith('Failed'):
            raise RuntimeError(f'{state.state_name}: {state.failed_reason}')
        time.sleep(0.05)
    raise RuntimeError('the import does not end')


def answer(server, request):
    if utility.has_collection(NAME):
        utility.drop_collection(NAME)
    dim = request['dim']
    c = Collection(NAME, CollectionSchema([FieldSchema('id', DataType.INT64, is_primary=True), FieldSchema('vec', DataType.FLOAT_VECTOR, dim=dim)]), shards_num=1)
    pid = server.server_proc.pid
    cpu, begun = used(pid), time.time()
    bring_in(request['insert'])
    out = {'wall_s': time.time() - begun, 'server_s': used(pid) - cpu}
    c.create_index('vec', {'index_type': 'FLAT', 'metric_type': 'L2', 'params': {}})    # without one it loads nothing
    c.load(timeout=driver.PATIENCE)
    out['rows'], out['hash'] = hashed(c, dim, request['rows'])
    c.release()
    return out


def main():
    begun = time.time()
    driver.raise_loopback()
    server = driver.start(os.path.abspath(sys.argv[1]))
    try:
        driver.say({'ready': round(time.time() - begun, 1)})
        for line in sys.stdin:
            try:
                driver.say(answer(server, json.loads(line)))
            except Exception as e:
                driver.say({'error': f'{type(e).__name__}: {e}'})
    finally:
        driver.stop(server)
        os._exit(0)


main()
