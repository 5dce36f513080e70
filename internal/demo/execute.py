"""usage: execute.py NOTEBOOK OUT.json

Executes a notebook in its own folder and writes what its code cells gave: a list with, for each, its text and the types of
its pictures. A cell that fails ends this with its error.
"""
import json
import os
import sys

import nbformat
from nbclient import NotebookClient


def shown(cell):
    text, pictures = "", []
    for out in cell.outputs:
        if out.output_type == "stream":
            text += out.text
        elif out.output_type in ("display_data", "execute_result"):
            text += out.data.get("text/plain", "")
            pictures += [kind for kind in out.data if kind.startswith("image/")]
    return {"text": text, "pictures": pictures}


def main():
    path, out = sys.argv[1:]
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": os.path.dirname(os.path.abspath(path))}})
    client.execute()
    with open(out, "w", encoding="utf-8") as f:
        json.dump([shown(c) for c in notebook.cells if c.cell_type == "code"], f)


if __name__ == "__main__":
    main()
