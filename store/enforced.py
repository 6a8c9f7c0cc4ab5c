"""What the proxies enforce right now, asked of their admin listeners: the store may have been told less than they were."""

from __future__ import annotations

import httpx

from settings.admin_token import admin_headers
from settings.load import SettingsError
from settings.model import Settings

DEADLINE_S = 2.0


def proxy_addresses(settings: Settings) -> tuple[str, ...]:
    """The admin addresses of all proxies: the configured ones, else this machine's."""
    return settings.cutover.proxies or (settings.proxy.admin,)


def enforced_decisions(settings: Settings) -> list[tuple[str, list[dict[str, object]]]]:
    """Each reachable proxy's address with the decisions it enforces. Never raises: a proxy that is away is left out."""
    found = []
    try:
        headers = admin_headers(settings)
    except SettingsError:
        return []  # whoever asks for a decision is told why
    for address in proxy_addresses(settings):
        try:
            answer = httpx.get(f"http://{address}/decisions", headers=headers, timeout=DEADLINE_S, trust_env=False)
            listed = answer.raise_for_status().json()["decisions"]
            found.append((address, [item for item in listed if isinstance(item, dict)]))
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            continue
    return found


def enforced_numbers(settings: Settings, route: str) -> list[tuple[str, int]]:
    """Each reachable proxy's address with the number of the decision it enforces for the route (0: none)."""
    return [
        (address, max((int(str(item.get("seq", 0))) for item in items if item.get("route") == route), default=0))
        for address, items in enforced_decisions(settings)
    ]
