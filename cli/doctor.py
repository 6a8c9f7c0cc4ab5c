"""`paritygate doctor`: turns a bad first hour into a good one."""

from __future__ import annotations

import asyncio
import email.utils
import os
import platform
import resource
import sys
from importlib.metadata import PackageNotFoundError, version

import httpx
import typer

from cli.check import Check
from cli.check_keys import redaction_key_check, signing_key_check
from cli.check_memory import memory_check
from cli.check_store import store_check
from cli.check_tls import tls_check
from cli.codes import CommandError, Exit
from cli.console import cell, out, show_json, table
from cli.context import ConfigOption, JsonOption, load, now, rules_of
from cli.ports import require_free
from proxy.descriptors import MOST_FILES, OWN_FILES, clients_for
from proxy.interpreter import interpreter_advice
from settings.admin_token import read_admin_token
from settings.load import SettingsError
from settings.model import Settings
from settings.routes import load_route_table

DEADLINE = 5.0
CLOCK_SKEW_LIMIT = 5.0
FEW_CLIENTS = 1000


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(doctor)


def doctor(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Check versions, configuration, certificate, limits, both backends, clocks, ports and the store.

    Exit 2 or 4 when something must be mended.
    """
    settings = load(config)
    checks = [_versions(), _rules(settings), signing_key_check(settings), redaction_key_check(settings)]
    checks += [_token(settings), tls_check(settings)]
    checks += [_workers(settings), memory_check(settings), _descriptors()]
    checks += [_backend("primary", settings.primary.url), _backend("candidate", settings.candidate.url)]
    addresses = {
        "proxy.listen": settings.proxy.listen,
        "proxy.admin": settings.proxy.admin,
        "dashboard.listen": settings.dashboard.listen,
    }
    checks += [*(_port(name, address) for name, address in addresses.items()), _routes(settings)]
    checks.append(asyncio.run(store_check(settings)))
    if json:
        show_json({"checks": [{"name": c.name, "ok": c.ok, "text": c.text} for c in checks]})
    else:
        made = table("", ["check", "", "finding"])
        for check in checks:
            word = {True: "ok", False: "MEND", None: "note"}[check.ok]
            made.add_row(cell(check.name), cell(word), cell(check.text))
        out.print(made)
    raise typer.Exit(max((check.code for check in checks if check.ok is False), default=Exit.OK))


def _versions() -> Check:
    names = ("mitmproxy", "h11", "httpx", "sqlalchemy", "streamlit")
    found: list[str] = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} missing")
    advice = interpreter_advice(sys.version_info)
    if advice is not None:
        return Check("versions", None, f"{', '.join(found)}; {advice}")
    return Check("versions", True, ", ".join(found))


def _workers(settings: Settings) -> Check:
    """A worker is one core; one more only takes turns with the others."""
    wanted, cores = settings.proxy.workers, len(os.sched_getaffinity(0))
    text = f"{wanted} configured, {cores} cores for this process"
    if wanted > cores:
        return Check("workers", None, f"{text}: more workers than cores bring nothing; set proxy.workers = {cores}")
    return Check("workers", True, text)


def _descriptors() -> Check:
    """Each client takes two descriptors, and some are for ourselves."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    clients = clients_for(files)
    limit = "none" if hard == resource.RLIM_INFINITY else str(hard)
    text = f"limit {limit}: {clients} clients at once per worker (2 descriptors each, and {OWN_FILES})"
    if clients < FEW_CLIENTS:
        need = 2 * FEW_CLIENTS + OWN_FILES
        return Check("descriptors", None, f"{text}; more are told 503: raise it to {need} or more (ulimit -Hn, LimitNOFILE=)")
    return Check("descriptors", True, text)


def _token(settings: Settings) -> Check:
    warnings: list[str] = []
    try:
        token = read_admin_token(settings, warnings)
    except SettingsError as error:
        return Check("admin token", False, str(error), Exit.USAGE)
    if warnings:
        return Check("admin token", None, "; ".join(warnings))
    return Check("admin token", True, "none: loopback only" if token is None else str(settings.proxy.admin_token_file))


def _rules(settings: Settings) -> Check:
    rule_set = rules_of(settings)  # a rule error ends the command with its own sentences
    return Check("rules", True, f"{len(rule_set.rules)} rules, {len(rule_set.presets)} presets, digest {rule_set.digest[:12]}")


def _backend(name: str, url: str) -> Check:
    try:
        answer = httpx.get(url, timeout=DEADLINE, trust_env=False)
    except httpx.HTTPError as error:
        text = f"{url} cannot be reached ({type(error).__name__}): start it, or correct [{name}] url"
        return Check(name, False, text, Exit.UNREACHABLE)
    date = answer.headers.get("date")
    stamp = email.utils.parsedate_to_datetime(date).timestamp() if date else None
    if stamp is not None and abs(stamp - now()) > CLOCK_SKEW_LIMIT:
        return Check(name, None, f"{url} answers, but its clock is {stamp - now():+.0f} s off this machine's")
    return Check(name, True, f"{url} answers (HTTP {answer.status_code})")


def _port(name: str, address: str) -> Check:
    try:
        require_free(name, address)
    except CommandError as error:
        return Check(name, None, f"{error}; fine when Paritygate itself runs there")
    return Check(name, True, f"{address} is free")


def _routes(settings: Settings) -> Check:
    warnings: list[str] = []
    known = load_route_table(settings, warnings)
    if warnings:
        return Check("routes", None, "; ".join(warnings))
    return Check("routes", True if known.routes else None, f"{len(known.routes)} routes are known")
