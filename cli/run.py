"""`paritygate up` and its three parts alone: `proxy`, `shadow`, `dashboard`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import typer

from cli.codes import Exit
from cli.console import say
from cli.context import ConfigOption, load, policy_of, rules_of, with_store
from cli.gate import gate_answer
from cli.orphan import end_with_supervisor
from cli.ports import require_free
from cli.supervise import Part, Supervisor
from proxy.interpreter import interpreter_advice
from proxy.logs import announce, configure_logs, redact_logs_by
from settings.keyfile import make_key, read_key
from settings.model import Settings
from settings.redaction import redactor_of
from settings.routes import load_route_table
from store.database import open_store
from store.errors import StoreError
from store.no_core_dumps import forbid_core_dumps


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (up, proxy, shadow, dashboard):
        app.command(command.__name__)(command)


def up(config: ConfigOption = None) -> None:
    """Run proxy, shadow worker and dashboard of this machine under one supervisor until Ctrl-C or SIGTERM."""
    settings = load(config)
    rules_of(settings)  # a bad rule file must stop the start, not the third process of it
    if make_key(settings.key_path):
        say(f"made the signing key {settings.key_path}")
    try:
        with_store(settings, _nothing, make=True)
    except StoreError as error:
        # Clients are served all the same: results wait, and are counted where they cannot.
        say(f"warning: {error}; the proxy serves without it, the shadow keeps trying")
    code = asyncio.run(_supervise(parts_of(settings, dict(os.environ))))
    raise typer.Exit(code)


def parts_of(settings: Settings, env: Mapping[str, str], logs: Path | None = None) -> list[Part]:
    """The processes of one machine. The proxy comes first, so that it also ends first and hands over what it holds."""
    # -P: the user's folder, where a `rules/` of its own lies, must not come before our packages.
    own = [sys.executable, "-P", "-m", "cli.main"]
    flags = ["--config", str(settings.source)] if settings.source is not None else []
    inherited = {**env, **({"PARITYGATE_CONFIG": str(settings.source)} if settings.source is not None else {})}

    def log(name: str) -> Path | None:
        return logs / f"{name}.log" if logs is not None else None

    return [
        Part("proxy", [*own, "proxy", *flags], inherited, log("proxy")),
        Part("shadow", [*own, "shadow", *flags], inherited, log("shadow"), essential=False),
        Part("dashboard", [*own, "dashboard", *flags], inherited, log("dashboard"), essential=False),
    ]


async def _supervise(parts: list[Part]) -> int:
    supervisor = Supervisor(parts, lambda text: say(f"paritygate: {text}"))
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, supervisor.ask_to_stop)
    supervisor.start()
    code = await supervisor.wait()
    await supervisor.stop()
    return code


def proxy(config: ConfigOption = None) -> None:
    """Run the live path alone: serve clients from the live backend and hand each finished exchange to the shadow."""
    from proxy.parent import run

    end_with_supervisor()
    forbid_core_dumps()
    configure_logs()
    settings = load(config)
    key = read_key(settings.key_path)
    redact_logs_by(redactor_of(settings, key))
    advice = interpreter_advice(sys.version_info)
    if advice is not None:
        announce(f"note: {advice}")

    def ready() -> None:
        count = settings.proxy.workers
        workers = f"{count} worker{'' if count == 1 else 's'}"
        scheme = "http" if settings.proxy.tls_certificate is None else "https"
        announce(
            f"proxy: {scheme}://{settings.proxy.listen} -> {settings.primary.url} (admin http://{settings.proxy.admin}, {workers})"
        )

    asyncio.run(run(settings, key, ready, partial(gate_answer, settings)))


def shadow(config: ConfigOption = None) -> None:
    """Run the mirror worker alone: send the copies, judge, record. It gives way to live traffic (nice 10)."""
    from shadow.giving_way import give_way
    from shadow.serve import serve

    end_with_supervisor()
    give_way()
    forbid_core_dumps()
    configure_logs()
    settings = load(config)
    key = read_key(settings.key_path)
    redact_logs_by(redactor_of(settings, key))
    rules = rules_of(settings)
    warnings: list[str] = []
    routes = load_route_table(settings, warnings)
    for warning in warnings:
        announce(f"shadow: {warning}")

    async def run() -> None:
        store = open_store(settings.store_url, policy_of(settings).unit_limits)
        try:
            await store.upgrade()
            await serve(settings, key, rules, store, lambda: announce(f"shadow: mirrors to {settings.candidate.url}"), routes)
        finally:
            await store.close()

    asyncio.run(_until_signalled(run()))


def dashboard(config: ConfigOption = None) -> None:
    """Run the dashboard alone."""
    from dashboard.launch import command, environment

    end_with_supervisor()
    settings = load(config)
    require_free("dashboard.listen", settings.dashboard.listen)
    say(f"dashboard: http://{settings.dashboard.listen}")
    arguments = command(settings)
    os.execvpe(arguments[0], arguments, environment(settings))


async def _until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` as the main task; SIGINT and SIGTERM cancel it, and its own clean-up is the drain."""
    task = asyncio.current_task()
    assert task is not None
    stop: Callable[[], object] = task.cancel
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop)
    try:
        await work
    except asyncio.CancelledError:
        return


async def _nothing(_: object) -> int:
    return Exit.OK
