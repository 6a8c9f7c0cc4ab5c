"""Notes which rules this shadow has loaded, and raises an alarm when one of them suppresses more than it was allowed to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from differ.audit import alarms, audit
from differ.rule_use import LoadedRule
from rules.model import RuleSet
from shadow.faults import Outage
from store.database import Store

log = structlog.get_logger("paritygate.shadow")

EVERY_S = 120.0


class RuleAlarms:
    """Looks at the counts of all shadows together. `now` is Unix time, `versions` are the rules' by name."""

    def __init__(self, store: Store, rules: RuleSet, versions: Mapping[str, str], now: Callable[[], float]) -> None:
        self._store, self._rules, self._versions, self._now = store, rules, versions, now
        self._watched = any(rule.max_rate is not None for rule in rules.all_rules)
        self._raised: set[str] = set()

    async def run(self) -> None:
        """Looks every two minutes until it is cancelled. A store that refuses is asked again the next time."""
        outage = Outage("the use of rules cannot be looked at yet")
        while True:
            try:
                await self.look()
                outage.worked()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """One look. An alarm is logged when it begins, and again only after it was over."""
        at = self._now()
        await self._store.note_loaded([LoadedRule(name, version, at, at) for name, version in sorted(self._versions.items())])
        if not self._watched:
            return
        over = alarms(audit(self._rules, await self._store.rule_usage(), at))
        for line in over:
            if line.name not in self._raised:
                text = next(flag.text for flag in line.flags if flag.kind == "over_rate")
                log.warning("a rule suppresses more than its max_rate", rule=line.name, owner=line.owner, alarm=text)
        self._raised = {line.name for line in over}
