"""Flagger's webhook (`type: confirm-promotion`): which routes it asks about, and what it is told.

Flagger posts `{"name", "namespace", "phase", "checksum", "metadata": {TEXT: TEXT}}`; newer releases add fields, which are not looked at.
It goes on after 200 to 202 and halts after anything else; the body of a refusal goes into its events.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

MAX_CALL = 64 * 1024
MOST_ROUTES = 50
MOST_TEXT = 2_000
_WANTED = 'give metadata: {route: "GET /api/orders/{id}"}, or `routes` with one route a line'


class CallError(ValueError):
    """This is no call of Flagger's that names a route; the text says what is missing."""


def routes_in(body: bytes) -> list[str]:
    """The routes of `metadata.route` (one) and `metadata.routes` (one a line), each once. Raises CallError."""
    try:
        call: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CallError("the body is not JSON: Flagger posts an object with name, namespace, phase and metadata") from error
    metadata = call.get("metadata") if isinstance(call, dict) else None
    if not isinstance(metadata, dict):
        raise CallError(f"the webhook has no metadata: {_WANTED}")
    lines = []
    for key in ("route", "routes"):
        value = metadata.get(key, "")
        if not isinstance(value, str):
            raise CallError(f"metadata.{key} is no text: {_WANTED}")
        lines += [line.strip() for line in value.splitlines()]
    routes = list(dict.fromkeys(line for line in lines if line))
    if not routes:
        raise CallError(f"the webhook's metadata names no route: {_WANTED}")
    if len(routes) > MOST_ROUTES:
        raise CallError(
            f"metadata.routes names {len(routes)} routes, at most {MOST_ROUTES} are judged in one call: use more webhooks"
        )
    return routes


def said(answers: Sequence[tuple[str, int, dict[str, Any]]]) -> tuple[str, int]:
    """The text and the status for the gate's (route, status, document): 200 when every route passes, else the worst of them."""
    lines = []
    for route, status, document in answers:
        if status == 200:
            lines.append(f"{route}: pass")
        else:
            reasons = document.get("reasons") or [document.get("error", "no answer")]
            lines.append(f"{route}: {document.get('verdict', 'no verdict')}: {'; '.join(map(str, reasons))}")
    status = max((status for _, status, _ in answers), default=400)
    return "\n".join(lines)[:MOST_TEXT] + "\n", status
