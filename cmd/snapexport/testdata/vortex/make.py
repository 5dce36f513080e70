"""Writes the Vortex files of this folder with vortex-data (0.93.0 wrote those that are here). vortex_test.go says what they hold.

make.py [FOLDER]; with --arrow, the same columns as Arrow IPC streams, which is what a helper makes of them.
"""
import json
import struct
import sys
import uuid

import pyarrow as pa

ROWS = 300
LOB = uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10")


def text(row):
    if row % 3 == 0:
        return bytes([1, 0, 0, 0]) + LOB.bytes + struct.pack("<i", row // 3)
    return b"\0" + f"short {row} é".encode() if row % 3 == 1 else None


def group():
    vectors = b"".join(struct.pack("<4f", i, i + 0.5, -i, 0) for i in range(ROWS))
    return pa.table({
        "102": pa.array([i % 100 - 50 for i in range(ROWS)], pa.int8()),
        "103": pa.FixedSizeListArray.from_arrays(pa.array(vectors, pa.uint8()), 16),
        "104": pa.array([None if i % 7 == 0 else f"v{i}" for i in range(ROWS)], pa.string()),
        "105": pa.array([text(i) for i in range(ROWS)], pa.binary()),
        "106": pa.array([json.dumps({"row": i}).encode() for i in range(ROWS)], pa.binary()),
        "107": pa.array([None if i % 5 == 0 else struct.pack("<4f", *[i] * 4) for i in range(ROWS)], pa.binary()),
    })


def lob():
    return pa.table({"text_data": pa.array([f"text {k} " * (900 + k) for k in range(ROWS // 3)], pa.string())})


def main(folder, arrow):
    for name, table in ("group.vortex", group()), (f"{LOB}.vx", lob()):
        if arrow:
            # an empty batch and small ones, as a helper may give them
            with pa.ipc.new_stream(f"{folder}/{name}.arrow", table.schema) as out:
                out.write_batch(pa.RecordBatch.from_pylist([], table.schema))
                out.write_table(table, max_chunksize=70)
        else:
            import vortex
            vortex.io.write(table, f"{folder}/{name}")


args = [a for a in sys.argv[1:] if a != "--arrow"]
main(args[0] if args else ".", "--arrow" in sys.argv)
