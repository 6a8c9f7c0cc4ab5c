"""A part ends when its supervisor is gone, however that ended: an orphan would hold the ports, and the next `up` could not start.

The kernel tells the part, as a SIGTERM, so that it ends as it does when it is asked to: the proxy drains and fails no client.
Linux only; elsewhere whoever kills a supervisor ends its parts.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Mapping
from contextlib import suppress

SUPERVISOR = "PARITYGATE_SUPERVISOR"
"""The variable by which a supervisor tells its parts its process id."""
_PR_SET_PDEATHSIG = 1


def supervised(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a part whose supervisor is this process."""
    return {**env, SUPERVISOR: str(os.getpid())}


def end_with_supervisor() -> None:
    """From now on this process gets a SIGTERM when its supervisor ends; at once if that has happened already. Without one: nothing.

    It holds beyond an `exec`. The variable is taken out of the environment: a process started from here has another parent.
    """
    supervisor = os.environ.pop(SUPERVISOR, "")
    if not supervisor.isdecimal():
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != int(supervisor):  # it ended before it could be noticed
            os.kill(os.getpid(), signal.SIGTERM)
