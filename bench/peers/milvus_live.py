#!/usr/bin/env python3
"""A genuine Milvus 2.3.5 with the rows of a data set, and its clients measured.

usage: milvus_live.py DATASET FOLDER      (with the Python of .tools/milvus-venv, in a network namespace of its own)
Starts the server with its data below FOLDER, imports the binlogs of DATASET, of V1, as restoring a backup does, loads the
collection and prints {"ready": s, "import": s, "load": s, "rows": count}. Then each line of standard input, a list of arguments of
milvus_query.py, is one run of that, and its answer {"wall_s", "user_s", "system_s", "server_s", "peak_bytes"}, or {"error"}: seconds of
the client's processor time and of the server's, and resident bytes of both.
"""
import json, os, subprocess, sys, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', 'internal', 'testkit', 'milvus235'))
import driver
import psutil

COLLECTION = 'bench'
FIELDS = [{'name': 'id', 'type': 5, 'primary': True}, {'name': 'title', 'type': 21, 'max_length': 200}, {'name': 'doc', 'type': 23}, {'name': 'vec', 'type': 101, 'dim': 128}]


def prepare(dataset):
    """the collection, and what making it took"""
    took, begun = {}, time.time()
    c = driver.create({'collection': COLLECTION, 'fields': FIELDS})
    place = os.path.join(os.path.abspath(dataset), 'files', '%s', '100', '200')
    driver.bring_in(c, {'name': '_default', 'insert': place % 'insert_log', 'delta': place % 'delta_log'})
    took['import'], begun = time.time() - begun, time.time()
    c.load(timeout=driver.PATIENCE)
    took['load'] = time.time() - begun
    took['rows'] = c.query('', output_fields=['count(*)'], consistency_level='Strong')[0]['count(*)']
    return took


class Watch(threading.Thread):
    """the greatest sum of resident bytes of some processes"""
    def __init__(self, *processes):
        super().__init__(daemon=True)
        self.processes, self.most, self.ended = processes, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.05):
            try:
                self.most = max(self.most, sum(p.memory_info().rss for p in self.processes))
            except psutil.NoSuchProcess:
                pass

    def stop(self):
        self.ended.set()
        self.join()
        return self.most


def measure(server, args, folder):
    before, begun = sum(server.cpu_times()[:2]), time.time()
    with open(os.path.join(folder, 'client.log'), 'w+') as log:
        p = subprocess.Popen([sys.executable, os.path.join(HERE, 'milvus_query.py'), *args], stdout=log, stderr=log)
        watch = Watch(server, psutil.Process(p.pid))
        _, status, usage = os.wait4(p.pid, 0)
        wall = time.time() - begun
        peak = watch.stop()
        if os.waitstatus_to_exitcode(status):
            log.seek(0)
            raise RuntimeError(log.read()[-2000:])
    return {'wall_s': wall, 'user_s': usage.ru_utime, 'system_s': usage.ru_stime, 'server_s': sum(server.cpu_times()[:2]) - before, 'peak_bytes': peak}


def main():
    dataset, folder = sys.argv[1:3]
    begun = time.time()
    driver.raise_loopback()
    milvus = driver.start(os.path.abspath(folder))
    try:
        ready = time.time() - begun
        driver.say({'ready': ready, **prepare(dataset)})
        server = psutil.Process(milvus.server_proc.pid)
        for line in sys.stdin:
            try:
                driver.say(measure(server, json.loads(line) + ['--port', str(milvus.listen_port)], folder))
            except Exception as e:
                driver.say({'error': f'{type(e).__name__}: {e}'})
    except Exception as e:
        driver.say({'error': f'{type(e).__name__}: {e}'})
    finally:
        driver.stop(milvus)
        os._exit(0)


main()
