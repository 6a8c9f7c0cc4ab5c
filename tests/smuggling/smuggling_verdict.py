"""Where readings part: SPLIT, STARVE, FLOWCOUNT, METHOD, PATH, BODY. An empty list is the bar R-SEC-1."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from smuggling_payload import Payload
from smuggling_reading import Ambiguous, Reading
from smuggling_relay import Tape
from smuggling_stage import Play, differences, entries

from traffic.ledger import Ledger
from traffic.route import Route, RouteTable

_EVERY_PATH = RouteTable([Route("GET", "/{rest:path}")])


def violations(play: Play, payloads: list[Payload], log: Path | None, ledger: Ledger) -> list[str]:
    """Everything that is wrong, each with the payload's name. `log` is None for a backend that keeps none."""
    names = {payload.id: payload.name for payload in payloads}
    found = [f"HANG {name}" for name in play.hung]
    seen = entries(log) if log is not None else None
    thought = Counter(
        (exchange.request.method.encode(), exchange.request.target, exchange.request.body) for exchange in play.exchanges
    )
    forwarded: Counter[tuple[bytes, bytes, bytes]] = Counter()
    whole = answers = 0
    for identifier, tapes in play.relay.of_payload.items():
        name = names.get(identifier, "?")
        readings: list[Reading] = []
        answered: list[int] = []
        for tape in tapes:
            try:
                readings += tape.readings()
            except Ambiguous as error:
                found.append(f"FRAMING {name}: {error}")
                continue
            answered += tape.statuses()
            answers += len(tape.statuses())
            found += _unanswered(name, tape, identifier in play.left)
        whole += sum(reading.complete for reading in readings)
        forwarded.update((reading.method, reading.target, reading.body) for reading in readings)
        if seen is not None:
            found += seen_by_server(name, readings, answered, seen.pop(identifier, []), identifier in play.left)
    found += [f"SPLIT {names.get(identifier)}: {left}" for identifier, left in (seen or {}).items()]
    found += [
        f"FLOWCOUNT on a wire without an id: {bytes(tape.sent[:100])!r}"
        for tape in play.relay.tapes
        if not tape.id and tape.sent
    ]
    found += [f"THOUGHT {request} was never sent" for request in (thought - forwarded)]
    if ledger.served_primary > answers or whole > ledger.seen:
        found.append(f"FLOWCOUNT {whole} whole requests passed and {answers} answers, the ledger has {ledger}")
    return found


def _unanswered(name: str, tape: Tape, left: bool) -> list[str]:
    readings, statuses = tape.readings(), tape.statuses()
    whole = sum(reading.complete for reading in readings)
    if len(statuses) > len(readings):
        return [f"SPLIT {name}: {len(statuses)} answers to {len(readings)} requests"]
    if whole > len(statuses) + left and not any(status >= 400 for status in statuses):
        return [f"STARVE {name}: {len(statuses)} answers to {whole} requests"]
    return []


def seen_by_server(
    name: str, readings: list[Reading], answered: list[int], seen: list[dict[str, object]], gone: bool = False
) -> list[str]:
    """Where a server's app (`seen`) departs from what was sent to it (`readings`); refusals in `answered` explain what it missed,
    and so does a client that was `gone` before the last answer."""
    found = []
    left = list(readings)
    for entry in seen:
        fitting = [reading for reading in left if not differences(entry, reading)]
        if fitting:
            left.remove(fitting[0])
        elif left:
            found += [f"{each} {name}" for each in differences(entry, left[0]) if not _known(each, left[0])]
            left.pop(0)
        else:
            found.append(f"SPLIT {name}: {entry}")
    refused = sum(status >= 400 for status in answered)
    silent = [reading for reading in left if reading.complete]
    if len(silent) > refused + gone:
        found.append(f"STARVE {name}: the app never saw {[(r.method, r.target) for r in silent]}, {answered}")
    return found


def _known(difference: str, reading: Reading) -> bool:
    """Paths that servers read in different ways always go to the primary and are no evidence of any route (T2)."""
    path = reading.target.partition(b"?")[0]
    return difference.startswith("PATH") and _EVERY_PATH.match("GET", path).route is None
