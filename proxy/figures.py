"""What the admin listener shows: status as JSON, metrics for Prometheus. Route templates only, never a raw path.

Both are for a thread, never for the live path's loop: reading the counters takes a second for ten thousand routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from proxy.control import Snapshot
from proxy.process_figures import ProcessFigures, read_process
from store.opening_counts import OpeningCounts
from store.openings import OVERFLOW
from traffic.ledger import ANSWERS, COPIES, SEEN_SLOT, SENT_SLOT, Ledger, build_ledger, ledger_document

_PAIRS = {2 + i * len(COPIES) + j: (answer, copy) for i, answer in enumerate(ANSWERS) for j, copy in enumerate(COPIES)}
_OWN_LABELS = 16
"""Labels beside the configured routes: one for each method of an unrouted path."""

Slots = dict[str, dict[int, int]]


def summed(openings: Iterable[OpeningCounts], most_routes: int) -> Slots:
    """The slots of all boots by route. More than `most_routes` labels are counted together."""
    total: Slots = {}
    for counts in openings:
        for route, slots in counts.routes.items():
            label = route if route in total or len(total) < most_routes + _OWN_LABELS else OVERFLOW
            into = total.setdefault(label, {})
            for slot, count in slots.items():
                into[slot] = into.get(slot, 0) + count
    return total


def status_document(snapshot: Snapshot, openings: Sequence[OpeningCounts]) -> dict[str, Any]:
    """The proxy's own half of the ledger: what was handed over shows as pending, since only the shadow knows how it ended."""
    ledgers = {route: build_ledger(slots, []) for route, slots in summed(openings, snapshot.most_routes).items()}
    total = Ledger()
    for ledger in ledgers.values():
        total = total + ledger
    standings = snapshot.standings
    return {
        "boot": snapshot.boot,
        "node": snapshot.node,
        "as_of": snapshot.as_of,
        "paused": snapshot.paused,
        "draining": snapshot.draining,
        "handoff": {
            "connected": bool(standings) and all(one.handoff_connected for one in standings),
            "waiting": sum(one.handoff_waiting for one in standings),
        },
        "workers": {
            "configured": snapshot.workers_wanted,
            "ready": snapshot.workers_ready,
            "restarts": snapshot.restarts,
            "alive": [
                {"place": one.place, "pid": pid, "boot": one.boot, "clients": one.clients, "open": one.open}
                for one, pid in zip(standings, snapshot.pids, strict=True)
            ],
        },
        "total": ledger_document(total),
        "routes": {route: ledger_document(ledgers[route]) for route in sorted(ledgers)},
    }


def metrics_text(snapshot: Snapshot, openings: Sequence[OpeningCounts]) -> bytes:
    """The Prometheus text of this moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(snapshot, openings))
    return generate_latest(registry)


class _Figures:
    def __init__(self, snapshot: Snapshot, openings: Sequence[OpeningCounts]) -> None:
        self._snapshot, self._openings = snapshot, openings

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._gauges()
        yield from self._by_worker()

    def _counters(self) -> Iterator[Metric]:
        snapshot = self._snapshot
        seen = CounterMetricFamily("paritygate_requests_seen", "Client requests", labels=["route"])
        ended = CounterMetricFamily("paritygate_requests_ended", "Answers and copies", labels=["route", "answer", "copy"])
        sent = CounterMetricFamily("paritygate_exchanges_sent", "Exchanges written to the shadow", labels=["route"])
        for route, slots in summed(self._openings, snapshot.most_routes).items():
            seen.add_metric([route], slots.get(SEEN_SLOT, 0))
            sent.add_metric([route], slots.get(SENT_SLOT, 0))
            for slot, count in slots.items():
                if slot in _PAIRS:
                    ended.add_metric([route, *_PAIRS[slot]], count)
        yield from (seen, ended, sent)
        yield CounterMetricFamily("paritygate_worker_restarts", "Workers that died and were replaced", snapshot.restarts)
        text = "Clients that could not be accepted for want of descriptors or memory"
        yield CounterMetricFamily("paritygate_accept_refused", text, snapshot.accept_failures)

    def _gauges(self) -> Iterator[Metric]:
        snapshot, standings = self._snapshot, self._snapshot.standings
        connected = bool(standings) and all(one.handoff_connected for one in standings)
        for name, help_text, value in (
            ("requests_open", "Client requests under way", sum(one.open for one in standings)),
            ("clients", "Clients that are connected", sum(one.clients for one in standings)),
            ("copies_bytes", "Bytes of bodies kept for copies of open requests", sum(one.copies_bytes for one in standings)),
            ("handoff_waiting", "Exchanges that wait for the shadow", sum(one.handoff_waiting for one in standings)),
            ("handoff_connected", "1 while every worker is connected to the shadow", int(connected)),
            ("paused", "1 while nothing is mirrored", int(snapshot.paused)),
            ("draining", "1 while the proxy ends", int(snapshot.draining)),
            ("alarms", "Routes that an alarm took back to the primary", snapshot.alarms),
            ("workers_configured", "Workers there should be", snapshot.workers_wanted),
            ("workers_ready", "Workers that accept clients", snapshot.workers_ready),
        ):
            yield GaugeMetricFamily(f"paritygate_{name}", help_text, value=value)
        ends = [one.certificate_expires for one in standings if one.certificate_expires]
        if ends:  # workers take a renewed one up within seconds of each other: the one that ends first counts
            text = "Seconds until the certificate that clients get expires; negative once it has"
            yield GaugeMetricFamily("paritygate_tls_certificate_expires_seconds", text, value=round(min(ends) - snapshot.as_of))

    def _by_worker(self) -> Iterator[Metric]:
        clients = GaugeMetricFamily("paritygate_worker_clients", "Clients of one worker", labels=["worker"])
        resident = GaugeMetricFamily("paritygate_worker_resident_bytes", "Resident memory of one worker", labels=["worker"])
        files = GaugeMetricFamily("paritygate_worker_open_files", "File descriptors of one worker", labels=["worker"])
        text = "What memory keeps one worker from copying: 0 nothing, 1 bodies, 2 everything"
        reduced = GaugeMetricFamily("paritygate_worker_copying_reduced", text, labels=["worker"])
        pairs = zip(self._snapshot.standings, self._snapshot.pids, strict=True)
        # Of two in one place, one is about to end: the other is the place's.
        places = {one.place: (one, pid) for one, pid in sorted(pairs, key=lambda pair: not pair[0].draining)}
        for place, (one, pid) in sorted(places.items()):
            label = [str(place)]
            clients.add_metric(label, one.clients)
            reduced.add_metric(label, one.copying)
            found: ProcessFigures | None = read_process(pid, count_files=not one.open_files)
            if found is not None:
                resident.add_metric(label, found.resident_bytes)
            counted = one.open_files or (found.open_files if found is not None else None)
            if counted:
                files.add_metric(label, counted)
        yield from (clients, reduced, resident, files)
