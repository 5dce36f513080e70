"""Runs the program ``snapexport``: finds it, gives it its settings, and makes exceptions of its errors."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import threading
import warnings
from typing import Any, Dict, List, Optional

EXIT_INTERRUPTED = 130


class SnapexportError(RuntimeError):
    """The program failed.

    Attributes:
        error_class: ``ErrCorrupt``, ``ErrMissing``, ``ErrLimit``, ``ErrUnsafePath``, ``ErrUnsupported``, ``ErrConflict``,
            ``ErrAuth``, ``usage``, or another word of the program's; ``""`` if it gave none.
        hint: What may help; may be empty.
        exit_code: Of the process.
    """

    def __init__(self, message: str, error_class: str = "", hint: str = "", exit_code: int = 1):
        super().__init__(f"{message} ({hint})" if hint else message)
        self.error_class, self.hint, self.exit_code = error_class, hint, exit_code


class SnapexportWarning(UserWarning):
    """The program warned of something in a snapshot."""


def binary() -> str:
    """Return the program: that of the variable ``SNAPEXPORT_BINARY``, the one in this package, or the one on the ``PATH``.

    Raises:
        FileNotFoundError: There is none.
    """
    own = pathlib.Path(__file__).with_name("bin") / "snapexport"
    for name in (os.environ.get("SNAPEXPORT_BINARY"), str(own) if own.exists() else None, shutil.which("snapexport")):
        if name:
            return name
    raise FileNotFoundError("the program snapexport is neither in this package nor on the PATH; SNAPEXPORT_BINARY may name it")


def flags(settings: Dict[str, Any]) -> List[str]:
    """Return flags of the command line: ``s3_endpoint="..."`` becomes ``--s3-endpoint=...``, a list repeats the flag, ``True``
    stands alone, ``None`` and ``False`` are left out."""
    out: List[str] = []
    for name, value in settings.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is True:
                out.append(flag)
            elif one is not None and one is not False:
                out.append(f"{flag}={one}")
    return out


class Run:
    """A process of the program. Its standard output is ``stdout``; ``finish`` must be called at the end of it, or ``kill``."""

    def __init__(self, *args: str, program: Optional[str] = None):
        command = [program or binary(), *args, "--json", "--progress=none"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stdout is not None and self._process.stderr is not None
        self.stdout = self._process.stdout
        self._said: List[bytes] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)

    def finish(self) -> None:
        """Wait for the end. Warnings become ``SnapexportWarning``.

        Raises:
            SnapexportError: It failed.
        """
        code = self._process.wait()
        self._listener.join()
        self.stdout.close()
        failure: Optional[Dict[str, Any]] = None
        rest: List[str] = []
        for line in self._said:
            text = line.decode("utf-8", "replace").rstrip()
            try:
                said = json.loads(text)
            except ValueError:
                rest.append(text)
                continue
            if not isinstance(said, dict):
                rest.append(text)
            elif "error" in said:
                failure = said["error"]
            elif "warning" in said:
                warnings.warn(f"{said['warning'].get('kind')}: {said['warning'].get('message')}", SnapexportWarning, stacklevel=3)
        if code == 0:
            return
        if failure is None:
            failure = {"message": "\n".join(rest[-20:]) or f"the program ended with code {code}"}
        where = failure.get("object")
        message = f"{failure['message']}: {where}" if where and where not in failure["message"] else failure["message"]
        raise SnapexportError(message, failure.get("class", ""), failure.get("hint", ""), code)

    def kill(self) -> None:
        """End the process if it still runs."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self.stdout.close()


def ask(*args: str, program: Optional[str] = None) -> Any:
    """Run the program to its end and return the JSON that it printed.

    Raises:
        SnapexportError: It failed.
    """
    run = Run(*args, program=program)
    try:
        body = run.stdout.read()
    except BaseException:
        run.kill()
        raise
    run.finish()
    return json.loads(body)
