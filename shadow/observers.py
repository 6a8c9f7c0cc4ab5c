"""Those who count over many exchanges: latency claims, hidden relations, the roll-back detector, what rules hide."""

from __future__ import annotations

from collections.abc import Callable

from differ.key_names import RouteKeyNames
from shadow.burst_watch import BurstWatch
from shadow.comparison import Compared
from shadow.latency_watch import LatencyWatch
from shadow.recorder import Recorder
from shadow.redaction import DifferenceRedactor
from shadow.relation_watch import RelationWatch
from shadow.rollback_watch import RollbackWatch, Trip
from shadow.rule_samples import RuleSamples
from store.tasks import spawn


class Observers:
    """Told of every exchange whose two legs ended. `alarm` is called when a route must go back, `begin_anew` with the route and epoch

    of a claim that is over.
    """

    def __init__(
        self,
        latency: LatencyWatch,
        relations: RelationWatch,
        rollback: RollbackWatch,
        samples: RuleSamples,
        key_names: RouteKeyNames,
        recorder: Recorder,
        alarm: Callable[[str, Trip], None],
        bursts: BurstWatch,
        begin_anew: Callable[[str, str], None],
        differences: DifferenceRedactor,
    ) -> None:
        self._latency, self._relations, self._rollback = latency, relations, rollback
        self._samples, self._key_names = samples, key_names
        self._recorder, self._alarm, self._differences = recorder, alarm, differences
        self._bursts, self._begin_anew = bursts, begin_anew

    def observe(self, made: Compared, unit: str | None) -> None:
        """Takes one comparison in."""
        trip = self._rollback.observe(made, unit)
        if trip is not None:
            self._alarm(made.exchange.route, trip)
        if self._bursts.observe(made, unit):
            self._begin_anew(made.exchange.route, made.epoch)
        if not self._latency.knows(made.exchange.route, made.epoch):
            spawn(self._latency.prepare(made.exchange.route, made.epoch), f"latency claim of {made.exchange.route}")
        counts, findings = self._latency.observe(made)
        if counts:
            self._recorder.add_latency(counts)
        for finding in (*findings, *self._relations.observe(made)):
            self._recorder.add_finding(self._differences.finding(finding))
        self._samples.observe(made)
        nodes = self._key_names.take_turned()
        if nodes:
            self._recorder.add_data_nodes([(route, self._differences.path(node)) for route, node in nodes])
