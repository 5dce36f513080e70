#!/usr/bin/env python3
"""A nightly job: exports a collection's newest snapshot, and reads what changed since the table's last one, not the rest.

  python nightly.py 's3://milvus-bucket#articles/latest' s3a://lake/articles --key id --by category --out s3a://lake/changes

`snapexport export` adds the snapshot to the table as a new version, tagged with its name, and keeps data files whose rows are the
same. Iceberg's changelog then has only the rows of files that came or went; those that are in both cancel out. With --out the
changes (key, what, category) are written to OUT/TAG as Parquet for what comes next. Run it again after a failure: an export that is
done is not done twice. Flags of `snapexport export` follow after `--`, such as `-- --expire 30`. The session, with its settings for S3, is that of lake.py.
Ends with 1 if the export fails, or if the changes do not add up to the table's rows.
"""
import json
import os
import subprocess
import sys

from pyspark.sql import functions as F

import lake


def arguments(argv):
    p = lake.parser(__doc__)
    p.add_argument("source", help="the snapshot, as for snapexport: 's3://bucket#collection/latest', milvus://host/collection/latest")
    p.add_argument("table", help="root of the table: s3a://bucket/path, file:///path")
    p.add_argument("--key", required=True, metavar="COLUMN", help="the primary key")
    p.add_argument("--by", required=True, metavar="COLUMN", help="the column whose values are the categories")
    p.add_argument("--out", metavar="DIR", help="where to write the changes")
    p.add_argument("--snapexport", default=os.environ.get("SNAPEXPORT_BINARY", "snapexport"), metavar="FILE", help="the program (default: $SNAPEXPORT_BINARY, else the one on the PATH)")
    argv = sys.argv[1:] if argv is None else argv
    cut = argv.index("--") if "--" in argv else len(argv)
    args = p.parse_args(argv[:cut])
    args.flags = argv[cut + 1:]
    return args


def export(args):
    """Runs the export and returns what it says."""
    done = subprocess.run([args.snapexport, "export", args.source, "--to", args.table, "--json", *args.flags], stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"the export failed with exit code {done.returncode}")
    return json.loads(done.stdout)


def last(tags, versions, now):
    """The version before now that has a tag, and its tag; None if now is the first."""
    names = {i: t for t, i in tags.items()}
    parent = versions[now]["parent_id"]
    while parent is not None and parent not in names:
        if parent not in versions:
            sys.exit(f"the version {parent} before this one is gone: what changed is not known")
        parent = versions[parent]["parent_id"]
    return parent, names.get(parent)


def changes(spark, args, start, end):
    """The rows that are not the same in both versions: key, what, category. Only files that are not in both are read."""
    log = spark.read.format("iceberg").option("end-snapshot-id", end)
    if start is not None:
        log = log.option("start-snapshot-id", start)
    log = log.load(args.table + "#changes")
    lake.check([args.key, args.by], log)
    came = F.when(F.col("_change_type") == "INSERT", 1).otherwise(-1)
    rows = log.select(F.col(args.key).alias("key"), F.col(args.by).alias("category"), F.expr(lake.fingerprint(log)).alias("print"), came.alias("n"))
    # a row that moved from one file to another is the same on both sides
    rows = rows.groupBy("key", "print").agg(F.sum("n").alias("n"), F.max("category").alias("category")).where("n != 0")
    kinds = rows.groupBy("key").agg(F.max("n").alias("new"), F.min("n").alias("old"), F.max_by("category", "n").alias("category"))
    return kinds.select("key", F.expr("CASE WHEN old > 0 THEN 'came' WHEN new < 0 THEN 'went' ELSE 'changed' END").alias("what"), "category")


def files(versions, start, end):
    """How many data files the changelog reads and how many it does not, by the summaries of the versions in it."""
    read = 0
    version = end
    while version is not None and version != start:
        summary = versions[version]["summary"]
        read += int(summary.get("added-data-files", 0)) + int(summary.get("deleted-data-files", 0))
        version = versions[version]["parent_id"]
    summary = versions[end]["summary"]
    return read, int(summary["total-data-files"]) - int(summary.get("added-data-files", 0))


def main(argv=None, spark=None):
    args = arguments(argv)
    done = export(args)
    with lake.session(args.jars, spark) as spark:
        tags, versions = lake.tags(spark, args.table), lake.snapshots(spark, args.table)
        end = done["iceberg_snapshot_id"]
        if end not in versions:
            sys.exit(f"the export made version {end}, which the table does not have")
        start, before = last(tags, versions, end)
        found = changes(spark, args, start, end).cache()
        kinds = found.groupBy("category").agg(*[F.count(F.when(F.col("what") == w, 1)) for w in ("came", "went", "changed")]).orderBy("category").collect()
        tag = done["tag"]
        lake.show(f"{tag}, since {before or 'the beginning'}", [args.by, "came", "went", "changed"], kinds)
        read, kept = files(versions, start, end)
        print(f"\n{read} data files were read for it, {kept} were not" + ("; the table had this snapshot already" if done["already_exported"] else ""))

        rows = [int(versions[v]["summary"]["total-records"]) if v is not None else 0 for v in (start, end)]
        came, went = sum(k[1] for k in kinds), sum(k[2] for k in kinds)
        print(f"{rows[0]} rows + {came} - {went} = {rows[1]} rows")
        if rows[0] + came - went != rows[1]:
            sys.exit("which is wrong: a key may occur twice (--dedupe newest), or someone else wrote to the table")
        if args.out:
            found.write.mode("overwrite").parquet(f"{args.out.rstrip('/')}/{tag}")
        found.unpersist()


if __name__ == "__main__":
    main()
