"""Which routes there are: what the store has seen, what the configuration names, what a proxy enforces. A misspelt one is an error."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from cli.codes import CommandError, Exit
from settings.load import SettingsError
from settings.model import Settings
from settings.routes import load_route_table
from store.database import Store
from traffic.route import Route, RouteError, parse_match


def configured(settings: Settings) -> set[str]:
    """The labels that the configuration, the URLconf and the OpenAPI documents name; empty where they cannot be had."""
    try:
        return {route.label for route in load_route_table(settings, []).routes.values()}
    except SettingsError:
        return set()


async def seen(store: Store) -> set[str]:
    """The labels that the store holds anything of."""
    return {row.route for row in await store.route_rows()} | {decision.route for decision in await store.decisions()}


def resolve(text: str, known: Iterable[str]) -> str:
    """The label that `text` names: parameter names are no part of a route's identity.

    Raises CommandError (2) with the nearest known route when there is none such.
    """
    labels = sorted(set(known))
    if text in labels:
        return text
    try:
        identity = Route(*parse_match(text)).identity
    except RouteError as error:
        raise CommandError(f"{error}{_near(text, labels)}", Exit.USAGE) from error
    for label in labels:
        method, _, template = label.partition(" ")
        if Route(method, template).identity == identity:
            return label
    raise CommandError(
        f"{text}: no such route is known{_near(text, labels)}; `paritygate routes` lists those with traffic", Exit.USAGE
    )


def _near(text: str, labels: list[str]) -> str:
    near = difflib.get_close_matches(text, labels, 1, 0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
