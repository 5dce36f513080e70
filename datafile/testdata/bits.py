"""usage: bits.py FILE: the bits of the column x, and of the only element of each vector v."""
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq

table = pq.read_table(sys.argv[1])


def bits(column):
    floats = b"".join(bytes(c.buffers()[1])[c.offset * 4:(c.offset + len(c)) * 4] for c in column.chunks)
    return " ".join("%x" % v for (v,) in struct.iter_unpack("<I", floats))


print(bits(table["x"]), "|", bits(pa.chunked_array([c.flatten() for c in table["v"].chunks])))
