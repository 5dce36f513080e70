"""usage: execute.py NOTEBOOK [--cells OUT.json] [--save PICTURES]

Executes a notebook in its own folder. --cells writes what its code cells gave: a list with, for each, its text and the types of its
pictures. --save saves the notebook with what it gave, and its plots as PICTURES/NOTEBOOK-N.png. A cell that fails ends this with its
error.
"""
import argparse
import base64
import json
import os
import pathlib

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


def plots(notebook):
    for cell in notebook.cells:
        for out in cell.get("outputs", []):
            if "image/png" in out.get("data", {}):
                yield base64.b64decode(out.data["image/png"])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("notebook", type=pathlib.Path)
    p.add_argument("--cells")
    p.add_argument("--save", type=pathlib.Path)
    args = p.parse_args()
    notebook = nbformat.read(args.notebook, as_version=4)
    nbformat.validate(notebook)
    kept = notebook.metadata.copy()
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # or the kernel warns of frozen modules
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, extra_arguments=["--log-level=ERROR"],
                            resources={"metadata": {"path": str(args.notebook.resolve().parent)}})
    client.execute()
    if args.cells:
        with open(args.cells, "w", encoding="utf-8") as f:
            json.dump([shown(c) for c in notebook.cells if c.cell_type == "code"], f)
    if args.save:
        notebook.metadata = kept
        nbformat.write(notebook, args.notebook)
        for n, picture in enumerate(plots(notebook), 1):
            (args.save / f"{args.notebook.stem}-{n}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
