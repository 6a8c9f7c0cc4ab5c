"""What commands share: the configuration option, the store of that configuration, and one event loop per command."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cli.route_policies import policies_of
from gate.policy import Policy
from rules.model import RuleSet
from settings.load import FILE_NAME, SettingsError, load_settings
from settings.model import Settings
from settings.rulefiles import read_rules
from store.database import Store, open_store

Made = TypeVar("Made")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="The configuration file (default: ./paritygate.toml).", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who does this; it is kept in the audit.", envvar="USER")]


def today() -> date:
    """Today in UTC; rules expire by it."""
    return datetime.now(UTC).date()


def now() -> float:
    """Unix seconds."""
    return time.time()


def rules_of(settings: Settings) -> RuleSet:
    """The configured rules as of today."""
    return read_rules(settings, today())


def policy_of(settings: Settings, route: str | None = None) -> Policy:
    """The gate's policy of a route as configured; without one that of the routes without an entry of their own."""
    policies = policies_of(settings)
    return policies.usual if route is None else policies.of(route)


def with_store(settings: Settings, work: Callable[[Store], Awaitable[Made]], make: bool = False) -> Made:
    """Runs `work` with the configured store, migrated to this release, and closes it.

    Raises NoStore where there is none, unless it may `make` one: a new, empty store looks like one in which nothing was ever found.
    """

    async def run() -> Made:
        store = open_store(settings.store_url, policy_of(settings).unit_limits)
        try:
            await store.upgrade(make)
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def load(config: Path | None) -> Settings:
    """The settings of the command line's `--config`. Raises SettingsError where there is neither a file nor an environment for them."""
    settings = load_settings(config)
    if settings.source is None and not any(name.startswith("PARITYGATE_") and "__" in name for name in os.environ):
        raise SettingsError(f"there is no {FILE_NAME} here; `paritygate init` writes one, `--config` names another")
    return settings
