"""usage: rows.py FILE: the file of TestEveryType holds these rows, as pyarrow reads them."""
import datetime as dt
import sys

import pyarrow.parquet as pq

MICRO = dt.timedelta(microseconds=1)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
UTC = dict(tzinfo=dt.timezone.utc)

NAMES = "id flag small single double text raw at day clock words holes vec bytes8 bits sparse vecs parts".split()
ROWS = [
    (1, True, 2**31 - 1, float.fromhex("0x1.fffffep127"), sys.float_info.max, "Grüße, 世界 😀", b"\x00\x01\xff",
     dt.datetime(2024, 2, 29, 23, 59, 59, 999999, **UTC), dt.date(1969, 12, 31), dt.time(23, 59, 59, 999999), ["a", "", "ß"], [1, None, 3],
     [1.5, -2.0, 2.0**-149], [-128, 127], b"\x01\x02", [(0, 0.5), (2**32 - 1, -1.0)], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
     [{"n": 7, "v": [1.0, 0.0, 0.0]}, {"n": None, "v": [0.0, 1.0, 0.0]}]),
    (-2**63, False, -2**31, -2.0**-149, 5e-324, "", b"", dt.datetime(1, 1, 1, **UTC), dt.date(9999, 12, 31), dt.time(0), [], [],
     [0.0, 0.0, 0.0], [0, 0], b"\x00\x00", [], [], []),
    (2**63 - 1,) + (None,) * 17,
    (2**53 + 1, True, 0, float.fromhex("0x1.99999ap-4"), 0.1, "\x00\x01 \" \\ \n", b"\x80", EPOCH + MICRO,
     dt.date(1970, 1, 1), dt.time(12), ["z"], [None], [3.0, 2.0, 1.0], [5, 6], b"\xff\x7f", [(9, 2.0)], [[7.0, 8.0, 9.0]],
     [{"n": 1, "v": [9.0, 9.0, 9.0]}]),
]

table = pq.read_table(sys.argv[1])
assert table.column_names == NAMES, table.column_names
got = [tuple(r[n] for n in NAMES) for r in table.to_pylist()]
want = ROWS * (len(got) // len(ROWS))
assert len(got) == len(want)
for i, (g, w) in enumerate(zip(got, want)):
    for n, a, b in zip(NAMES, g, w):
        assert a == b and type(a) is type(b), (i, n, a, b)
print(len(got))
