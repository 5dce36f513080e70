"""Deletes rows of a table through a catalog: delete.py PACKAGES NAMESPACE.TABLE CONDITION KEY=VALUE..."""
import sys

sys.path.append(sys.argv[1])
from pyiceberg.catalog import load_catalog

load_catalog("lake", **dict(p.split("=", 1) for p in sys.argv[4:])).load_table(sys.argv[2]).delete(sys.argv[3])
