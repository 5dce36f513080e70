#!/usr/bin/env python3
"""Compares two Milvus snapshots of one table by their tags: which rows came, which went, which changed.

  python time_travel.py s3a://lake/articles monday tuesday --key id --by category --show title

Both versions are read whole, with VERSION AS OF in SQL; nightly.py reads only the files in which two versions differ. The session,
with its settings for S3, is that of lake.py. Ends with 1 if there is no such tag, or a key occurs twice.
"""
import sys

import lake


def arguments(argv):
    p = lake.parser(__doc__)
    p.add_argument("table", help="root of the table: s3a://bucket/path, file:///path")
    p.add_argument("before", help="tag of the earlier snapshot")
    p.add_argument("after", help="tag of the later snapshot")
    p.add_argument("--key", required=True, metavar="COLUMN", help="the primary key")
    p.add_argument("--by", required=True, metavar="COLUMN", help="the column whose values are the categories")
    p.add_argument("--show", metavar="COLUMN", help="a column of which to print both versions")
    p.add_argument("--rows", type=int, default=3, metavar="N", help="rows of each kind to print (default 3)")
    return p.parse_args(argv)


def differences(spark, table, args):
    """A view `differences` of the rows that are not the same in both: key, what, category and the shown column, before and after."""
    shown = f"`{args.show or args.key}`"
    version = f"SELECT `{args.key}` AS key, `{args.by}` AS category, {shown} AS shown, {lake.fingerprint(table)} AS print FROM {lake.named(spark, args.table)} VERSION AS OF "
    spark.sql(f"""
        SELECT coalesce(a.key, b.key) AS key, coalesce(b.category, a.category) AS category, a.shown AS before, b.shown AS after,
               CASE WHEN a.key IS NULL THEN 'came' WHEN b.key IS NULL THEN 'went' ELSE 'changed' END AS what
        FROM ({version} '{args.before}') a FULL JOIN ({version} '{args.after}') b ON a.key = b.key
        WHERE a.key IS NULL OR b.key IS NULL OR a.print <> b.print""").createOrReplaceTempView("differences")


def sizes(spark, args):
    """Rows at both tags. Ends the script where a key occurs twice."""
    out = []
    for tag in (args.before, args.after):
        rows, keys = spark.sql(f"SELECT count(*), count(DISTINCT `{args.key}`) FROM {lake.named(spark, args.table)} VERSION AS OF '{tag}'").first()
        if rows != keys:
            sys.exit(f"{tag} has {rows} rows with {keys} keys: export with --dedupe newest to compare by key")
        out.append(rows)
    return out


def main(argv=None, spark=None):
    args = arguments(argv)
    with lake.session(args.jars, spark) as spark:
        tags, versions = lake.tags(spark, args.table), lake.snapshots(spark, args.table)
        lake.show("tags", ["tag", "snapshot", "committed", "rows"],
                  [(t, i, versions[i]["committed_at"].isoformat(" ", "seconds"), int(versions[i]["summary"]["total-records"])) for t, i in sorted(tags.items(), key=lambda x: versions[x[1]]["committed_at"])])
        for tag in (args.before, args.after):
            if tag not in tags:
                sys.exit(f"the table has no tag {tag}; it has {', '.join(sorted(tags))}")
        table = lake.read(spark, args.table, args.before)
        lake.check([args.key, args.by, args.show], table)
        before, after = sizes(spark, args)
        differences(spark, table, args)
        spark.sql("CACHE TABLE differences")

        kinds = spark.sql("SELECT category, count_if(what = 'came'), count_if(what = 'went'), count_if(what = 'changed') FROM differences GROUP BY category ORDER BY category").collect()
        lake.show(f"from {args.before} to {args.after}", [args.by, "came", "went", "changed"], kinds)
        came, went = sum(k[1] for k in kinds), sum(k[2] for k in kinds)
        print(f"\n{before} rows + {came} - {went} = {after} rows")
        if before + came - went != after:
            sys.exit("which is wrong")
        examples = spark.sql(f"SELECT what, key, before, after FROM (SELECT *, row_number() OVER (PARTITION BY what ORDER BY key) AS n FROM differences) WHERE n <= {args.rows} ORDER BY what, key").collect()
        lake.show("the first of each", ["", args.key, args.before, args.after], examples)
        spark.sql("UNCACHE TABLE differences")


if __name__ == "__main__":
    main()
