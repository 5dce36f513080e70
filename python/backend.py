"""Builds the wheel and the source archive with the standard library alone, so that it takes no network (PEP 517).

If src/snapexport/bin/snapexport is there, a program without libc for Linux on x86-64, the wheel carries it and is of that platform.
"""
import base64
import hashlib
import io
import pathlib
import tarfile
import zipfile

try:
    import tomllib
except ModuleNotFoundError:  # Python before 3.11
    import tomli as tomllib

HERE = pathlib.Path(__file__).parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))["project"]
STEM = f"{PROJECT['name']}-{PROJECT['version']}"
PROGRAM = "snapexport/bin/snapexport"
MOMENT = (2026, 1, 1, 0, 0, 0)  # of every file: the same sources make the same wheel


def metadata():
    lines = [
        "Metadata-Version: 2.1", f"Name: {PROJECT['name']}", f"Version: {PROJECT['version']}", f"Summary: {PROJECT['description']}",
        f"License: {PROJECT['license']['text']}", f"Requires-Python: {PROJECT['requires-python']}",
        *(f"Classifier: {c}" for c in PROJECT["classifiers"]), *(f"Requires-Dist: {d}" for d in PROJECT["dependencies"]),
        *(line for extra, needs in PROJECT["optional-dependencies"].items() for line in
          [f"Provides-Extra: {extra}", *(f"Requires-Dist: {d}; extra == '{extra}'" for d in needs)]),
        "Description-Content-Type: text/markdown", "", (HERE / PROJECT["readme"]).read_text("utf-8"),
    ]
    return "\n".join(lines).encode()


def sources():
    """The package's files, by their paths below src/."""
    return sorted(p for p in (HERE / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts and not any(d.endswith(".egg-info") for d in p.parts))


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    files = {p.relative_to(HERE / "src").as_posix(): p.read_bytes() for p in sources()}
    info = f"{STEM}.dist-info"
    tag = "py3-none-manylinux2014_x86_64" if PROGRAM in files else "py3-none-any"
    files[f"{info}/METADATA"] = metadata()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: snapexport\nRoot-Is-Purelib: {str(PROGRAM not in files).lower()}\nTag: {tag}\n".encode()
    record = io.StringIO()
    for name, body in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        record.write(f"{name},sha256={digest},{len(body)}\n")
    record.write(f"{info}/RECORD,,\n")
    files[f"{info}/RECORD"] = record.getvalue().encode()
    wheel = f"{STEM}-{tag}.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / wheel, "w", zipfile.ZIP_DEFLATED) as out:
        for name, body in files.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (0o100755 if name == PROGRAM else 0o100644) << 16
            out.writestr(entry, body)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    archive = f"{STEM}.tar.gz"
    with tarfile.open(pathlib.Path(sdist_directory) / archive, "w:gz") as out:
        body = metadata()
        entry = tarfile.TarInfo(f"{STEM}/PKG-INFO")
        entry.size = len(body)
        out.addfile(entry, io.BytesIO(body))
        for p in [HERE / "pyproject.toml", HERE / "README.md", HERE / "backend.py", *sources()]:
            out.add(p, f"{STEM}/{p.relative_to(HERE).as_posix()}")
    return archive
