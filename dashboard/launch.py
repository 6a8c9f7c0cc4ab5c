"""How the dashboard is started: Streamlit as a process of its own, on loopback, with everything off that is not needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from settings.model import Settings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def address(settings: Settings) -> tuple[str, int]:
    """Host and port of `dashboard.listen`."""
    host, _, port = settings.dashboard.listen.rpartition(":")
    return host.strip("[]"), int(port)


def is_local(settings: Settings) -> bool:
    """Whether only this machine can reach the dashboard. Elsewhere it is read-only: it has no login of its own."""
    return address(settings)[0] in LOOPBACK


def command(settings: Settings) -> list[str]:
    """The command line of the dashboard's process; run it with `environment(settings)`."""
    host, port = address(settings)
    options: dict[str, str] = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "true",
        "server.showEmailPrompt": "false",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "server.enableStaticServing": "false",
        "server.enableAgentApi": "false",
        "server.maxUploadSize": "1",
        "server.disconnectedSessionTTL": "60",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": "false",
        "runner.magicEnabled": "false",
        "global.developmentMode": "false",
        "theme.primaryColor": "#1f6feb",
        "theme.baseRadius": "small",
        "theme.paddingTop": "1.5rem",
    }
    # A name that was rebound to this address must not reach the controls. The option is repeated, not a list.
    hosts = [f"--server.allowedHosts={name}" for name in LOOPBACK] if is_local(settings) else []
    script = Path(__file__).resolve().parent / "app.py"
    given = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(script), *given, *hosts]


def environment(settings: Settings, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the dashboard's process: the configuration it reads, and the folder our packages are in."""
    made = dict(os.environ if inherited is None else inherited)
    if settings.source is not None:
        made["PARITYGATE_CONFIG"] = str(settings.source)
    root = str(Path(__file__).resolve().parent.parent)
    rest = [part for part in made.get("PYTHONPATH", "").split(os.pathsep) if part and part != root]
    made["PYTHONPATH"] = os.pathsep.join([root, *rest])
    return made
