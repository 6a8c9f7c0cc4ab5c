"""What the admin listener shows: status as JSON, metrics for Prometheus. Route templates only, never a raw path.

Both read the openings file, which takes a second for ten thousand routes: they are for a thread, never for the live path's loop.
So they read the file as another process would (`OpeningsFile` has one thread), and only single values of the live path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from proxy.live_path import LivePath
from store.openings import read_openings
from traffic.ledger import ANSWERS, COPIES, SEEN_SLOT, SENT_SLOT, Ledger, build_ledger, ledger_document

_PAIRS = {2 + i * len(COPIES) + j: (answer, copy) for i, answer in enumerate(ANSWERS) for j, copy in enumerate(COPIES)}


def status_document(path: LivePath) -> dict[str, Any]:
    """The proxy's own half of the ledger: what was handed over shows as pending, since only the shadow knows how it ended.

    Raises store.openings.OpeningsError.
    """
    ledgers = {route: build_ledger(slots, []) for route, slots in read_openings(path.openings.path)[0].routes.items()}
    total = Ledger()
    for ledger in ledgers.values():
        total = total + ledger
    return {
        "boot": path.identity.boot,
        "node": path.identity.node,
        "as_of": path.identity.clock(),
        "paused": path.paused,
        "draining": path.draining,
        "handoff": {"connected": path.handoff.connected, "waiting": path.handoff.waiting},
        "total": ledger_document(total),
        "routes": {route: ledger_document(ledgers[route]) for route in sorted(ledgers)},
    }


def metrics_text(path: LivePath) -> bytes:
    """The Prometheus text of this moment. Raises store.openings.OpeningsError."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(path))
    return generate_latest(registry)


class _Figures:
    def __init__(self, path: LivePath) -> None:
        self._path = path

    def collect(self) -> Iterator[Metric]:
        seen = CounterMetricFamily("paritygate_requests_seen", "Client requests", labels=["route"])
        ended = CounterMetricFamily("paritygate_requests_ended", "Answers and copies", labels=["route", "answer", "copy"])
        sent = CounterMetricFamily("paritygate_exchanges_sent", "Exchanges written to the shadow", labels=["route"])
        for route, slots in read_openings(self._path.openings.path)[0].routes.items():
            seen.add_metric([route], slots.get(SEEN_SLOT, 0))
            sent.add_metric([route], slots.get(SENT_SLOT, 0))
            for slot, count in slots.items():
                if slot in _PAIRS:
                    ended.add_metric([route, *_PAIRS[slot]], count)
        yield from (seen, ended, sent)
        path = self._path
        for name, help_text, value in (
            ("paritygate_requests_open", "Client requests under way", len(path.open)),
            ("paritygate_copies_bytes", "Bytes of bodies kept for copies of open requests", path.copies.used),
            ("paritygate_handoff_waiting", "Exchanges that wait for the shadow", path.handoff.waiting),
            ("paritygate_handoff_connected", "1 while the shadow is connected", int(path.handoff.connected)),
            ("paritygate_paused", "1 while nothing is mirrored", int(path.paused)),
            ("paritygate_draining", "1 while the proxy ends", int(path.draining)),
            ("paritygate_alarms", "Routes that an alarm took back to the primary", len(path.book.alarms)),
        ):
            yield GaugeMetricFamily(name, help_text, value=value)
