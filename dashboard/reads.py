"""The store's answers as the pages need them, each remembered for two seconds so that many open pages cost one query."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

import streamlit as st

from dashboard.session import answered, current_policies, current_policy, current_settings, opened
from differ.audit import Audited
from differ.audit import audit as audit_of
from gate.evaluate import evaluate
from gate.facts import Decision, GateVerdict
from gate.policies import Policies
from rules.errors import RuleError
from settings.load import SettingsError
from settings.model import Settings
from settings.rulefiles import read_rules
from store.records import AuditRow, ClusterRow, Example, RouteRow, TallyRow
from traffic.ledger import Ledger

_MEMORY_S = 2
_RULES_MEMORY_S = 10


@dataclass(frozen=True, slots=True)
class RouteView:
    """One route's row and the gate's answer to it."""

    row: RouteRow
    verdict: GateVerdict


# The rows and verdicts of all routes are shared, not copied for each reader: they are frozen facts and there may be 10,000 of them.
@st.cache_resource(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _rows(url: str) -> list[RouteRow]:
    rows = opened(url).call(lambda store: store.route_rows(now=time.time()))
    return sorted(rows, key=lambda row: row.route)


@st.cache_resource(ttl=_MEMORY_S, max_entries=4, show_spinner=False, hash_funcs={Policies: repr})
def _views(url: str, policies: Policies) -> list[RouteView]:
    now = time.time()
    return [RouteView(row, evaluate(row.evidence, row.standing, policies.of(row.route), now)) for row in _rows(url)]


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _clusters(url: str, route: str | None) -> list[ClusterRow]:
    return opened(url).call(lambda store: store.clusters(route))


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _examples(url: str, cluster_id: str) -> list[Example]:
    return opened(url).call(lambda store: store.examples(cluster_id))


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _tallies(url: str, route: str, since: int) -> list[TallyRow]:
    return opened(url).call(lambda store: store.tallies(route, float(since)))


@st.cache_data(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _ledgers(url: str) -> dict[str, Ledger]:
    return opened(url).call(lambda store: store.ledgers())


@st.cache_data(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _audit(url: str, limit: int) -> list[AuditRow]:
    return opened(url).call(lambda store: store.audit(limit))


@st.cache_data(ttl=_MEMORY_S, max_entries=4, show_spinner=False)
def _decisions(url: str) -> list[Decision]:
    return opened(url).call(lambda store: store.decisions())


# Shared, not copied for each reader: frozen facts, and reading many rules and their use takes its time.
@st.cache_resource(ttl=_RULES_MEMORY_S, max_entries=4, show_spinner=False)
def _rule_lines(url: str, today: date, _settings: Settings) -> list[Audited] | str:
    try:
        rules = read_rules(_settings, today)
    except (RuleError, SettingsError) as error:
        return str(error)
    usage = opened(url).call(lambda store: store.rule_usage())
    return audit_of(rules, usage, time.time())


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _cluster(url: str, cluster_id: str) -> ClusterRow | None:
    return opened(url).call(lambda store: store.cluster(cluster_id))


@st.cache_data(ttl=_MEMORY_S, max_entries=64, show_spinner=False)
def _example(url: str, example_id: str) -> Example | None:
    return opened(url).call(lambda store: store.example(example_id))


def forget() -> None:
    """Drops what is remembered, after something was written."""
    for query in (_rows, _views, _clusters, _cluster, _examples, _example, _tallies, _ledgers, _audit, _decisions, _rule_lines):
        query.clear()


def route_names() -> list[str]:
    """Every route, sorted."""
    return [row.route for row in answered(_rows)]


def route_view(route: str) -> RouteView | None:
    """One route with its gate verdict, None where the store does not know it."""
    row = next((row for row in answered(_rows) if row.route == route), None)
    return None if row is None else RouteView(row, evaluate(row.evidence, row.standing, current_policy(route), time.time()))


def route_views() -> list[RouteView]:
    """Every route with its gate verdict, sorted by name."""
    policies = current_policies()
    return answered(lambda url: _views(url, policies))


def clusters(route: str | None = None) -> list[ClusterRow]:
    """The clusters of one route or of all, most frequent first."""
    return sorted(answered(lambda url: _clusters(url, route)), key=lambda row: (-row.count, row.id))


def examples(cluster_id: str) -> list[Example]:
    """The stored examples of a cluster."""
    return answered(lambda url: _examples(url, cluster_id))


def tallies(route: str, since: float) -> list[TallyRow]:
    """Verdicts of a route over time since then."""
    return answered(lambda url: _tallies(url, route, int(since) // 60 * 60))


def ledgers() -> dict[str, Ledger]:
    """The ledger of each route."""
    return answered(_ledgers)


def audit(limit: int) -> list[AuditRow]:
    """The newest links of the audit chain."""
    return answered(lambda url: _audit(url, limit))


def decisions() -> list[Decision]:
    """The decisions in force."""
    return answered(_decisions)


def rule_lines() -> list[Audited]:
    """The audit of the configured rules. With a mistake in their files: none, and the mistake is shown."""
    today, configured = datetime.now(UTC).date(), current_settings()
    lines = answered(lambda url: _rule_lines(url, today, configured))
    if isinstance(lines, str):
        st.warning("The rules cannot be read, so nothing is known of what they hide:")
        st.code(lines, language=None)
        return []
    return lines


def cluster(cluster_id: str) -> ClusterRow | None:
    """A cluster by its id, also by one that was merged into another cluster; None where there is none."""
    return answered(lambda url: _cluster(url, cluster_id))


def example(example_id: str) -> Example | None:
    """One stored example, None where it is not kept (any more)."""
    return answered(lambda url: _example(url, example_id))
