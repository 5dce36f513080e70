"""Compares a table that an engine read with the rows that must be in it, as multisets.

The truth is a file of JSON lines, one object per row, perhaps compressed (.gz), with values as canon.py spells them: 64-bit
integers as JSON integers, FLOAT widened to double, JSON fields and $meta as their exact text, binary vectors and geometry
base64, sparse vectors {"index": value}, Timestamptz in microseconds, struct arrays as lists of objects.

Columns have the names of the fields, $meta may be _meta. A struct array may also be one list column per member, named
parent[member], parent.member, parent_member or member. Columns _milvus... are no fields; `_partition` of the truth is
compared with `_partition` or `_milvus_partition` where the table has one of them.
"""
import collections
import gzip
import json

import pyarrow as pa

import canon


def read_truth(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def expected(t, v):
    """A value of the truth as the canonical value of a column of Arrow type t. What does not fit the type stays as it is,
    so that it differs."""
    if v is None:
        return None
    if pa.types.is_floating(t) and isinstance(v, (int, float)) and not isinstance(v, bool):
        return canon.number(float(v))
    if pa.types.is_floating(t) and isinstance(v, str) and v not in canon.SPECIAL:
        return {"text": v}
    if canon.is_list(t) and isinstance(v, list):
        return [expected(t.value_type, x) for x in v]
    if pa.types.is_map(t) and isinstance(v, dict):
        return {str(k): expected(t.item_type, x) for k, x in v.items()}
    if canon.is_pairs(t) and isinstance(v, dict):
        return {str(k): canon.number(float(x)) for k, x in v.items()}
    if pa.types.is_struct(t) and isinstance(v, dict):
        types = {t.field(i).name: t.field(i).type for i in range(t.num_fields)}
        return {k: expected(types[k], x) if k in types else x for k, x in v.items()}
    return v


def parsed(v):
    """JSON text as its value, for columns whose engine does not keep the text."""
    return v if v is None else canon.text(json.loads(v))


class Columns:
    """The columns of the table that belong to the names of the truth."""

    def __init__(self, table, truth, ignore):
        self.problems = []
        self.types = {}
        self.values = {}
        self.rows = table.num_rows
        names = [n for n in dict.fromkeys(k for r in truth for k in r) if n not in ignore]
        have = {n: table.column(n) for n in table.column_names if n not in ignore}
        used = set()
        for name in names:
            used |= self._take(name, have, truth)
        if truth:
            extra = [n for n in have if n not in used and n not in ("_partition", "_meta") and not n.startswith("_milvus")]
            self.problems += ["the table has a column %s that the truth has not" % n for n in extra]
        doubled = [n for n, k in collections.Counter(table.column_names).items() if k > 1]
        self.problems += ["the table has %s more than once" % n for n in doubled]

    def _take(self, name, have, truth):
        """Puts the column of a name in, and returns the names of the table's columns that it took."""
        spellings = {"$meta": ["$meta", "_meta"], "_partition": ["_partition", "_milvus_partition"]}.get(name, [name])
        found = next((s for s in spellings if s in have), None)
        if found is not None:
            self.types[name], self.values[name] = canon.column(have[found])
            return {found}
        members = self._members(name, have, truth)
        if members:
            self._zip(name, {m: canon.column(have[c]) for m, c in members.items()})
            return set(members.values())
        if name != "_partition":
            self.problems.append("the table has no column %s" % name)
        return set()

    @staticmethod
    def _members(name, have, truth):
        names = dict.fromkeys(m for r in truth if isinstance(r.get(name), list) for x in r[name] if isinstance(x, dict) for m in x)
        found = {m: next((s for s in (f"{name}[{m}]", f"{name}.{m}", f"{name}_{m}", m) if s in have), None) for m in names}
        return found if found and all(found.values()) else {}

    def _zip(self, name, members):
        """List columns of the members -> one column of lists of objects. Rows whose members differ in length stay apart."""
        self.types[name] = pa.list_(pa.struct([(m, t.value_type) for m, (t, _) in members.items()]))
        out = []
        for i in range(self.rows):
            cells = {m: v[i] for m, (_, v) in members.items()}
            if any(c is None for c in cells.values()):
                out.append(None if all(c is None for c in cells.values()) else cells)
            elif len({len(c) for c in cells.values()}) > 1:
                out.append(cells)
            else:
                out.append([dict(zip(cells, x)) for x in zip(*cells.values())])
        self.values[name] = out


def compare(table, truth, ignore=(), json_by_value=(), show=5, bits=False):
    """Compares an Arrow table with the rows of read_truth. The answer: truth, rows and equal (numbers of rows), problems
    (text; empty iff they are the same)."""
    if bits:
        table = canon.as_bits(table)
    cols = Columns(table, truth, set(ignore))
    for n in json_by_value:
        if n in cols.values:
            cols.values[n] = [parsed(v) for v in cols.values[n]]
    names = list(cols.values)

    def want(row, n):
        v = expected(cols.types[n], row.get(n))
        return parsed(v) if n in json_by_value else v

    got = collections.Counter(canon.text(dict(zip(names, r))) for r in zip(*cols.values.values())) if names else collections.Counter()
    wanted = collections.Counter(canon.text({n: want(r, n) for n in names}) for r in truth)
    equal = (wanted & got).total() if names else 0
    problems = cols.problems + differences(wanted - got, got - wanted, show)
    if table.num_rows != len(truth):
        problems.insert(0, "the table has %d rows, the truth %d" % (table.num_rows, len(truth)))
    return {"truth": len(truth), "rows": table.num_rows, "equal": equal, "problems": problems}


def differences(missing, extra, show):
    """What the first rows that are in one multiset only look like; a row that is nearly there is named by its cells."""
    out = []
    pool = [json.loads(r) for r in list(extra)[:2000]]
    for row in list(missing)[:show]:
        want = json.loads(row)
        near = max(pool, key=lambda x: sum(x.get(k) == v for k, v in want.items()), default=None)
        if near is None or sum(near.get(k) == v for k, v in want.items()) * 2 < len(want):
            out.append("missing: %.300s" % row)
            continue
        for k, v in want.items():
            if near.get(k) != v:
                out.append("differs in %s: want %.160s, got %.160s (row %.100s)" % (k, canon.text(v), canon.text(near.get(k)), row))
    if len(extra) > len(missing) or not missing:
        out += ["not in the truth: %.300s" % row for row in list(extra)[:show]]
    return out
