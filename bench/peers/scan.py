"""What scan_spark.py and scan_duckdb.py share: the same rows written by pyarrow, and rounds in which both take turns."""
import glob, json, math, os, statistics, time

ROUNDS, WARM = 9, 2


def rewrite(ours, theirs):
    """pyarrow's files of the rows of ours, file by file: its own defaults for row groups and pages, and our codec for each
    column. zstd is level 1, pyarrow's default and ours."""
    import pyarrow.parquet as pq
    os.makedirs(theirs, exist_ok=True)
    for path in files(ours):
        out = os.path.join(theirs, os.path.basename(path))
        if os.path.exists(out):
            continue
        f = pq.ParquetFile(path)
        codecs = {}
        for g in range(f.metadata.num_row_groups):
            for i in range(f.metadata.num_columns):
                c = f.metadata.row_group(g).column(i)
                if c.compression != "UNCOMPRESSED":
                    codecs[c.path_in_schema] = c.compression
        codecs = {f.metadata.schema.column(i).path: codecs.get(f.metadata.schema.column(i).path, "NONE") for i in range(f.metadata.num_columns)}
        scalars = [c for c in f.schema_arrow.names if not str(f.schema_arrow.field(c).type).startswith("list")]
        pq.write_table(f.read(), out + ".part", compression=codecs, use_dictionary=scalars, store_schema=False)
        os.rename(out + ".part", out)


def files(folder):
    """The Parquet files of a table or of a folder of them."""
    data = os.path.join(folder, "data")
    found = sorted(glob.glob(os.path.join(data if os.path.isdir(data) else folder, "*.parquet")))
    if not found:
        raise SystemExit("no Parquet files in " + folder)
    return found


def about(x):
    """A result as text; sums of floats depend on the order of rows in their last digits."""
    if isinstance(x, float):
        return "%.5g" % x if math.isfinite(x) else str(x)
    return "(%s)" % ", ".join(map(about, x)) if isinstance(x, (tuple, list)) else str(x)


def measure(engine, queries, run, cpu):
    """Runs each query over both tables in turn. run(query, table) gives its rows, cpu() the seconds of processor so far."""
    out = {"engine": engine, "rounds": ROUNDS, "queries": {}}
    for name, query in queries.items():
        seen, times = {}, {"ours": [], "pyarrow": []}
        for i in range(WARM + ROUNDS):
            order = ("ours", "pyarrow") if i % 2 else ("pyarrow", "ours")
            for table in order:
                c, w = cpu(), time.perf_counter()
                rows = run(query, table)
                w, c = time.perf_counter() - w, cpu() - c
                seen[table] = about([tuple(r) for r in rows])
                if i >= WARM:
                    times[table].append((w, c))
        if seen["ours"] != seen["pyarrow"]:
            raise SystemExit("%s differs:\n%s\n%s" % (name, seen["ours"][:500], seen["pyarrow"][:500]))
        row = {}
        for k, what in enumerate(("wall", "cpu")):
            for table in times:
                row["%s_%s_s" % (table, what)] = round(statistics.median(t[k] for t in times[table]), 4)
            row["ratio_" + what] = round(row["ours_%s_s" % what] / max(row["pyarrow_%s_s" % what], 1e-9), 3)
        out["queries"][name] = row
    print(json.dumps(out, indent=1))
