"""Gathers the route table: the file's own entries, the exported URLconf, the candidate's OpenAPI documents."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from settings.fetch import FetchError, fetch
from settings.load import SettingsError
from settings.model import Settings
from traffic.route import Route, RouteError, RouteTable, parse_match, routes_from_openapi, routes_from_urlconf

MAX_DOCUMENT = 16 * 1024 * 1024
DEADLINE_S = 5.0
CACHE = "openapi.json"
Parsed = TypeVar("Parsed")


def load_route_table(settings: Settings, warnings: list[str] | None = None) -> RouteTable:
    """All routes of the configuration; Django's URLconf names a route where both know it. Raises SettingsError.

    A document behind a URL that cannot be had falls back to the copy of the last good fetch; without one it becomes a warning,
    since a candidate that is down must not keep the proxy from starting.
    """
    routes: list[Route] = []
    for entry in settings.routes.urlconf:
        document = _file(settings, entry)
        if not isinstance(document, list):
            raise SettingsError(f"[routes] urlconf: {entry}: expected the list that `paritygate routes import-django` writes")
        routes.extend(_parsed(f"[routes] urlconf: {entry}", partial(routes_from_urlconf, document)))
    for entry in settings.routes.openapi:
        remote = entry.startswith(("http://", "https://"))
        found = _url(settings, entry, warnings) if remote else _file(settings, entry)
        if found is None:
            continue
        if remote and not (isinstance(found, Mapping) and isinstance(found.get("paths"), Mapping)):
            if warnings is not None:  # a candidate that answers nonsense must not keep clients from being served
                warnings.append(f"[routes] openapi: {entry}: what it answers is no OpenAPI document; its routes are unknown")
            continue
        if not isinstance(found, Mapping):
            raise SettingsError(f"[routes] openapi: {entry}: expected an OpenAPI document, got {type(found).__name__}")
        routes.extend(_parsed(f"[routes] openapi: {entry}", partial(routes_from_openapi, found)))
    own = []
    for number, item in enumerate(settings.route):
        method, template = _parsed(f"[[route]] {number}: match", partial(parse_match, item.match))
        own.append(Route(method, template, item.candidate_path, item.mirror, "config"))
    # The imported name comes first and stays; the file's own entries add their settings to it.
    return _parsed("[routes]", partial(RouteTable, [*routes, *own], settings.routes.max))


def _parsed(place: str, parse: Callable[[], Parsed]) -> Parsed:
    try:
        return parse()
    except RouteError as error:
        raise SettingsError(f"{place}: {error}") from error


def _file(settings: Settings, name: str) -> Any:
    path = settings.path(name)
    try:
        if path.stat().st_size > MAX_DOCUMENT:
            raise SettingsError(f"{path}: larger than {MAX_DOCUMENT} bytes")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"[routes]: {path}: cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"[routes]: {path}: not JSON: {error}") from error


def _url(settings: Settings, url: str, warnings: list[str] | None) -> Any:
    copy = settings.state_dir / CACHE
    try:
        document = json.loads(fetch(url, MAX_DOCUMENT, DEADLINE_S))
    except (FetchError, ValueError, RecursionError) as error:
        note = f"[routes] openapi: {url}: {error or type(error).__name__}"
        kept = _kept(copy).get(url)
        if warnings is not None:
            without = "routes are unknown until it answers, all requests count as __unrouted__"
            warnings.append(f"{note}; {without if kept is None else 'the copy of the last good fetch is used'}")
        return kept
    fresh = copy.with_name(f".{copy.name}.{os.getpid()}.new")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.write_text(json.dumps({**_kept(copy), url: document}), encoding="utf-8")
        fresh.replace(copy)
    except OSError:
        pass  # the copy is a convenience for the next start
    return document


def _kept(copy: Path) -> dict[str, Any]:
    """The documents of earlier fetches; a copy that cannot be read is as good as none."""
    try:
        found = json.loads(copy.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
