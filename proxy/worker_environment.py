"""The environment of a worker process: the parent's, with a place for the bytecode of `python -O` where there is none yet."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

PROBE = "mitmproxy"
"""The largest of what a worker imports."""


def worker_environment(state_dir: Path) -> dict[str, str]:
    """The variables for a worker.

    Installers compile for the plain interpreter only. Where the packages' folder cannot be written to, as in most images, every
    worker would compile everything anew, which takes seconds: the bytecode is kept in our own folder then.
    """
    env = dict(os.environ)
    found = importlib.util.find_spec(PROBE)
    if found is not None and found.origin is not None and "PYTHONPYCACHEPREFIX" not in env:
        compiled = Path(importlib.util.cache_from_source(found.origin, optimization="1"))
        folder = compiled.parent if compiled.parent.is_dir() else compiled.parent.parent
        if not compiled.exists() and not os.access(folder, os.W_OK):
            env["PYTHONPYCACHEPREFIX"] = str(state_dir / "bytecode")
    return env
