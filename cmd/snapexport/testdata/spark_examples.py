"""Runs the scripts of spark-examples/ in one session and holds what they print against numpy: spark_examples.py EXAMPLES SAMPLE TRUTH OUT.

SAMPLE is the folder that scripts/sample_collection.py filled, TRUTH its --truth. Prints ok.
"""
import contextlib
import importlib
import io
import itertools
import os
import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pyspark

examples, sample, truth, out = sys.argv[1:]
sys.path.insert(0, examples)
import lake  # noqa: E402

TABLE = "file://" + out + "/articles"
COMMON = ["--key", "id", "--by", "category"]


class Rows:
    """A snapshot as it was sent to the server."""

    def __init__(self, name):
        self.table = pq.read_table(f"{truth}/{name}.parquet").to_pydict()
        self.id, self.category = self.table["id"], np.array(self.table["category"])
        self.v = np.array(self.table["embedding"], dtype=np.float64)
        self.rows = {i: (t, c, w, tuple(e)) for i, t, c, w, e in zip(*(self.table[n] for n in ("id", "title", "category", "words", "embedding")))}


def run(script, *argv):
    """Runs a script and returns what it printed and its exit code."""
    text, code = io.StringIO(), None
    with contextlib.redirect_stdout(text):
        try:
            importlib.import_module(script).main(list(argv), spark)
        except SystemExit as e:
            code = e.code
    return text.getvalue(), code


def tables(script, *argv):
    """Runs a script that must succeed, and returns its tables by the beginnings of their titles, as lists of lists of texts."""
    text, code = run(script, *argv)
    assert code is None, f"{script}: {code}\n{text}"
    print(text, file=sys.stderr)
    found = {}
    for block in text.split("\n== ")[1:]:
        title, _, *lines = block.split("\n")
        found[title] = [re.split(r"\s{2,}", line.strip()) for line in itertools.takewhile(str.strip, lines)]
    return text, found


def table(found, beginning):
    (name,) = [n for n in found if n.startswith(beginning)]
    return found[name]


def fails(message, script, *argv):
    text, code = run(script, *argv)
    assert isinstance(code, str) and message in code, f"{script} {argv}: {code!r}\n{text}"


def same(got, want):
    """Tables are equal, numbers to what is printed of them."""
    assert len(got) == len(want), (got, want)
    for g, w in zip(got, want):
        assert len(g) == len(w) and all(abs(float(a) - b) < 2e-6 if isinstance(b, float) else a == str(b) for a, b in zip(g, w)), (g, w)


def differences(before, after):
    """Categories with the numbers of rows that came, went and changed; and the keys of each."""
    keys = {"came": sorted(after.rows.keys() - before.keys()), "went": sorted(before.keys() - after.rows.keys()),
            "changed": sorted(k for k in before.keys() & after.rows.keys() if before[k] != after.rows[k])}
    kind = {k: r[1] for rows in (before, after.rows) for k, r in rows.items()}
    counts = [[c, *(sum(kind[k] == c for k in keys[w]) for w in ("came", "went", "changed"))] for c in sorted({kind[k] for w in keys.values() for k in w})]
    return counts, keys


def nightly(monday, tuesday):
    bucket = sample + "/bucket#articles/"
    text, found = tables("nightly", bucket + "monday", TABLE, *COMMON)
    same(table(found, "monday, since the beginning"), differences({}, monday)[0])
    counts, keys = differences(monday.rows, tuesday)
    text, found = tables("nightly", bucket + "latest", TABLE, *COMMON, "--out", "file://" + out + "/changes", "--", "--workers", "1")
    same(table(found, "tuesday, since monday"), counts)
    kept = int(re.search(r"data files were read for it, (\d+) were not", text)[1])
    assert kept > 0, text
    changes = pq.read_table(out + "/changes/tuesday").to_pydict()
    assert {w: sorted(k for k, x in zip(changes["key"], changes["what"]) if x == w) for w in keys} == keys
    # run again it finds the same, and exports nothing
    text, found = tables("nightly", bucket + "tuesday", TABLE, *COMMON)
    same(table(found, "tuesday, since monday"), counts)
    assert "the table had this snapshot already" in text, text
    fails("the export failed with exit code 4", "nightly", bucket + "wednesday", TABLE, *COMMON)


def time_travel(monday, tuesday):
    text, found = tables("time_travel", TABLE, "monday", "tuesday", *COMMON, "--show", "title", "--rows", "2")
    assert [(r[0], r[-1]) for r in table(found, "tags")] == [("monday", str(len(monday.id))), ("tuesday", str(len(tuesday.id)))], found
    counts, keys = differences(monday.rows, tuesday)
    same(table(found, "from monday to tuesday"), counts)
    title = lambda rows, k: rows[k][0] if k in rows else "-"  # noqa: E731
    assert table(found, "the first of each") == [[w, str(k), title(monday.rows, k), title(tuesday.rows, k)] for w in sorted(keys) for k in keys[w][:2]]
    fails("no tag wednesday; it has monday, tuesday", "time_travel", TABLE, "monday", "wednesday", *COMMON)
    fails("no column nothing", "time_travel", TABLE, "monday", "tuesday", "--key", "id", "--by", "nothing")


def vector_analytics(monday, tuesday):
    rows = monday
    text, found = tables("vector_analytics", TABLE, *COMMON, "--vector", "embedding", "--top", "4", "--pairs", "1000", "--tag", "monday")
    norms, names = np.linalg.norm(rows.v, axis=1), sorted(set(rows.category))
    centres = np.stack([rows.v[rows.category == c].mean(axis=0) for c in names])
    unit = centres / np.linalg.norm(centres, axis=1)[:, None]
    between = unit @ unit.T - 3 * np.eye(len(names))
    want = []
    for i, c in enumerate(names):
        mine, near = norms[rows.category == c], int(between[i].argmax())
        want.append([c, len(mine), float(mine.mean()), float(mine.min()), float(mine.max()), float(np.linalg.norm(centres[i])), names[near], float(between[i, near])])
    same(table(found, "norms and centroids"), want)
    unit = rows.v / norms[:, None]
    cosine = unit @ unit.T
    nearest = np.argsort(-cosine[0], kind="stable")[:4]
    same(table(found, "the 4 nearest"), [[rows.id[i], float(cosine[0, i])] for i in nearest])
    one, other = np.nonzero(np.triu(cosine >= 0.999, 1))
    want = {(str(rows.id[a]), str(rows.id[b])) for a, b in zip(one, other)}
    assert len(want) > 5 and {(a, b) for a, b, _ in table(found, f"{len(want)} pairs")} == want, (want, found)
    fails("--query has 2 numbers, the vectors have 32", "vector_analytics", TABLE, *COMMON, "--vector", "embedding", "--query", "[1, 2]")
    fails("no column nothing", "vector_analytics", TABLE, *COMMON, "--vector", "nothing")


def join_table(monday, tuesday):
    """Clicks of some rows of monday, of which some went."""
    clicks = {k: k % 7 + 1 for k in monday.id if k % 3}

    def write(name, more=()):
        with open(f"{out}/{name}.csv", "w") as f:
            f.write("id,clicks\n" + "".join(f"{k},{n}\n" for k, n in [*clicks.items(), *more]))
        return f"file://{out}/{name}.csv"

    name = write("clicks")
    args = ["--on", "id", "--by", "category", "--sum", "clicks"]
    text, found = tables("join_table", TABLE, name, *args)
    want = []
    for c in sorted(set(tuesday.category)):
        ids = [i for i, x in zip(tuesday.id, tuesday.category) if x == c]
        want.append([c, len(ids), sum(i in clicks for i in ids), sum(clicks.get(i, 0) for i in ids)])
    same(table(found, "clicks by category"), want)
    gone = clicks.keys() - tuesday.rows.keys()
    same(table(found, "in the other table only"), [[len(gone), sum(clicks[k] for k in gone)]])
    key = next(iter(clicks))
    fails(f"id {key} occurs 2 times in", "join_table", TABLE, write("twice", [(key, 1)]), *args)


def main():
    global spark
    for script in ("vector_analytics", "join_table", "time_travel", "nightly"):
        text, code = run(script, "--help")
        assert code == 0 and f"python {script}.py" in text, text
    rows = Rows("monday"), Rows("tuesday")
    spark = lake.connect(os.environ["SNAPEXPORT_JARS"])
    try:
        for check in (nightly, time_travel, vector_analytics, join_table):
            check(*rows)
    finally:
        spark.stop()
    print("ok", pyspark.__version__)


spark = None
main()
