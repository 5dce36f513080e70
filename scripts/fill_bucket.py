"""usage: fill_bucket.py FOLDER BUCKET/PREFIX [OTHER_BUCKET...]

Makes the buckets on the S3 server that the AWS_ variables name, as soon as it answers, and copies a folder into the first.
"""
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import botocore.session
from botocore.config import Config
from botocore.exceptions import HTTPClientError


def make_buckets(s3, names, patience=20):
    """Makes them, waiting for the server for so many seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            for name in names:
                s3.create_bucket(Bucket=name)
            return
        except HTTPClientError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def main():
    folder, target, *others = Path(sys.argv[1]), *sys.argv[2:]
    bucket, _, prefix = target.partition("/")
    s3 = botocore.session.get_session().create_client("s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}, connect_timeout=2))
    make_buckets(s3, [bucket, *others])
    files = [f for f in sorted(folder.rglob("*")) if f.is_file()]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda f: s3.put_object(Bucket=bucket, Key="%s/%s" % (prefix, f.relative_to(folder).as_posix()), Body=f.read_bytes()), files))
    print("%d files, %.1f MB in s3://%s" % (len(files), sum(f.stat().st_size for f in files) / 1e6, target))


if __name__ == "__main__":
    main()
