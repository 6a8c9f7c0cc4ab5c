"""What rules did: counts per version and route that add up from any number of writers, and a few examples of what they hid."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from differ.rule_use import (
    DAY_S,
    DayUse,
    HiddenExample,
    HiddenPlace,
    JudgedKind,
    LoadedRule,
    RuleTally,
    RuleUsage,
    Suppressed,
)
from differ.samples import rank
from store.examples import drop_orphans, insert_examples
from store.records import Ended, Example, RuleSample
from store.schema import JudgedDay, RuleDay, RuleExample, RuleLoaded, RulePlace, RuleUse
from store.text import bounded
from store.upsert import upsert
from traffic.outcome import Ending

MAX_PLACES = 50
"""Different places, kinds and notes of each rule and route; more are counted together."""
OVERFLOW = "overflow"
_PATH_BYTES = 2_000
_HALF = 1 << 63

Use = tuple[str, str, str]
"""(rule, version, route)"""


async def write_rule_uses(connection: AsyncConnection, ended: Iterable[Ended], samples: Sequence[RuleSample]) -> None:
    """Counts what rules explained, out of how many responses judged, and what samples showed of them."""
    tallies: dict[Use, RuleTally] = {}
    days: dict[tuple[str, str, str, int], int] = defaultdict(int)
    judged: dict[tuple[str, int, str, int], int] = defaultdict(int)
    for row in ended:
        if row.ending not in (Ending.COMPARED, Ending.CANDIDATE_ERROR):
            continue
        day = int(row.at // DAY_S)
        if row.judged is not None:
            judged[row.route, *row.judged, day] += row.count
        known = {part.rule: part for part in row.suppressed}
        for rule in sorted(set(row.tolerated)):
            part = known.get(rule, Suppressed(rule))
            days[rule, part.version, row.route, day] += row.count
            _add(tallies, RuleTally(rule, part.version, row.route, part.differences * row.count, row.count, row.at, row.at))
    for sample in samples:
        _add(tallies, sample.tally)
    await _write_tallies(connection, tallies.values())
    rows = [{"rule": r, "version": v, "route": o, "day": d, "count": n} for (r, v, o, d), n in days.items()]
    await upsert(connection, RuleDay, rows, count="add")
    rows = [{"route": o, "status": s, "media": m, "day": d, "count": n} for (o, s, m, d), n in judged.items()]
    await upsert(connection, JudgedDay, rows, count="add")
    await _write_places(connection, [place for sample in samples for place in sample.places])


async def _write_tallies(connection: AsyncConnection, tallies: Iterable[RuleTally]) -> None:
    await upsert(
        connection,
        RuleUse,
        [
            {
                "rule": tally.rule,
                "version": tally.version,
                "route": tally.route,
                "count": tally.responses,
                "differences": tally.differences,
                "first_at": tally.first_at,
                "last_at": tally.last_at,
                "matched": tally.matched,
                "sampled": tally.sampled,
                "alone": tally.alone,
                "needed": tally.needed,
                "covered": tally.covered,
            }
            for tally in tallies
        ],
        count="add",
        differences="add",
        first_at="min",
        last_at="max",
        matched="add",
        sampled="add",
        alone="add",
        needed="add",
        covered="add",
    )


def _add(tallies: dict[Use, RuleTally], tally: RuleTally) -> None:
    key = (tally.rule, tally.version, tally.route)
    known = tallies.get(key)
    tallies[key] = tally if known is None else known.plus(tally)


async def _write_places(connection: AsyncConnection, places: Iterable[HiddenPlace]) -> None:
    counts: dict[HiddenPlace, int] = defaultdict(int)
    for place in places:
        counts[replace(place, path=bounded(place.path, _PATH_BYTES), count=0)] += place.count
    if not counts:
        return
    uses = sorted({(place.rule, place.version, place.route) for place in counts})
    there: dict[Use, set[str]] = {use: set() for use in uses}
    for use in uses:
        there[use].update(await connection.scalars(select(RulePlace.id).where(*_is(RulePlace, use))))
    rows: dict[str, dict[str, object]] = {}
    for place in sorted(counts, key=_place_id):
        known = there[place.rule, place.version, place.route]
        count, kept = counts[place], place
        if _place_id(place) not in known and len(known) >= MAX_PLACES:
            kept = replace(place, aspect="", path=OVERFLOW, kind="", note="")
        key = _place_id(kept)
        if kept is place:
            known.add(key)
        row = rows.setdefault(
            key,
            {
                "id": key,
                "rule": kept.rule,
                "version": kept.version,
                "route": kept.route,
                "aspect": kept.aspect,
                "path": kept.path,
                "kind": kept.kind,
                "note": kept.note,
                "count": 0,
            },
        )
        row["count"] = int(str(row["count"])) + count
    await upsert(connection, RulePlace, list(rows.values()), count="add")


def _place_id(place: HiddenPlace) -> str:
    parts = (place.rule, place.version, place.route, place.aspect, place.path, place.kind, place.note)
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


async def write_rule_examples(connection: AsyncConnection, samples: Sequence[RuleSample], keep: int) -> None:
    """Keeps the `keep` examples of the lowest ranks for each use: an even sample of all that were offered, in any order.

    The examples must be held, so that two writers cannot each keep `keep`.
    """
    offers: dict[Use, dict[str, Example]] = defaultdict(dict)
    for sample in samples:
        tally = sample.tally
        offers[tally.rule, tally.version, tally.route].update({example.id: example for example in sample.examples})
    gone: list[str] = []
    for use, given in sorted(offers.items()):
        if not given:
            continue
        found = await connection.execute(select(RuleExample.rank, RuleExample.example_id).where(*_is(RuleExample, use)))
        there = {(number, name) for number, name in found}
        kept = sorted(there | {(rank(name) - _HALF, name) for name in given})[:keep]
        fresh = [(number, name) for number, name in kept if (number, name) not in there]
        await insert_examples(connection, [given[name] for _, name in fresh])
        rule, version, route = use
        rows = [
            {"rule": rule, "version": version, "route": route, "example_id": name, "rank": number, "at": given[name].at}
            for number, name in fresh
        ]
        await upsert(connection, RuleExample, rows)
        left = sorted(name for number, name in there if (number, name) not in kept)
        if left:
            await connection.execute(delete(RuleExample).where(*_is(RuleExample, use), RuleExample.example_id.in_(left)))
            gone += left
    if gone:
        await drop_orphans(connection, sorted(gone))


async def write_loaded(connection: AsyncConnection, loaded: Sequence[LoadedRule]) -> None:
    """Notes which versions of rules a shadow has loaded."""
    rows = [{"rule": item.rule, "version": item.version, "first_at": item.first_at, "last_at": item.last_at} for item in loaded]
    await upsert(connection, RuleLoaded, rows, first_at="min", last_at="max")


async def read_rule_usage(connection: AsyncConnection) -> RuleUsage:
    """Everything that is known of the use of rules."""
    uses = await connection.execute(
        select(
            RuleUse.rule,
            RuleUse.version,
            RuleUse.route,
            RuleUse.differences,
            RuleUse.count,
            RuleUse.first_at,
            RuleUse.last_at,
            RuleUse.matched,
            RuleUse.sampled,
            RuleUse.alone,
            RuleUse.needed,
            RuleUse.covered,
        ).order_by(RuleUse.rule, RuleUse.version, RuleUse.route)
    )
    place = RulePlace
    places = await connection.execute(
        select(place.rule, place.version, place.route, place.aspect, place.path, place.kind, place.note, place.count).order_by(
            place.count.desc(), place.id
        )
    )
    judged = await connection.execute(
        select(JudgedDay.route, JudgedDay.status, JudgedDay.media, JudgedDay.day, JudgedDay.count)
    )
    days = await connection.execute(select(RuleDay.rule, RuleDay.version, RuleDay.route, RuleDay.day, RuleDay.count))
    loaded = await connection.execute(select(RuleLoaded.rule, RuleLoaded.version, RuleLoaded.first_at, RuleLoaded.last_at))
    kept = RuleExample
    examples = await connection.execute(
        select(kept.rule, kept.version, kept.route, kept.example_id).order_by(kept.at.desc(), kept.example_id)
    )
    return RuleUsage(
        tuple(RuleTally(*row) for row in uses),
        tuple(HiddenPlace(*row) for row in places),
        tuple(JudgedKind(*row) for row in judged),
        tuple(DayUse(*row) for row in days),
        tuple(LoadedRule(*row) for row in loaded),
        tuple(HiddenExample(*row) for row in examples),
    )


async def read_rule_hits(connection: AsyncConnection, route: str | None = None) -> list[tuple[str, str, int]]:
    """(rule, route, responses) over all versions, most frequent first; rules that explained nothing are left out."""
    total = func.sum(RuleUse.count)
    query = select(RuleUse.rule, RuleUse.route, total).where(RuleUse.count > 0).group_by(RuleUse.rule, RuleUse.route)
    if route is not None:
        query = query.where(RuleUse.route == route)
    found = await connection.execute(query.order_by(total.desc(), RuleUse.rule, RuleUse.route))
    return [(rule, label, int(count)) for rule, label, count in found]


async def prune_rule_uses(connection: AsyncConnection, before: float) -> int:
    """Deletes days before `before` (Unix seconds), examples of them, and what is known of versions that nobody loaded since."""
    old = [
        (rule, version)
        for rule, version in await connection.execute(
            select(RuleLoaded.rule, RuleLoaded.version).where(RuleLoaded.last_at < before)
        )
    ]
    gone = 0
    for statement in (
        delete(RuleDay).where(RuleDay.day < int(before // DAY_S)),
        delete(JudgedDay).where(JudgedDay.day < int(before // DAY_S)),
        delete(RuleExample).where(RuleExample.at < before),
        delete(RuleLoaded).where(RuleLoaded.last_at < before),
    ):
        gone += (await connection.execute(statement)).rowcount
    for start in range(0, len(old), 100):
        which = or_(*(and_(RulePlace.rule == rule, RulePlace.version == version) for rule, version in old[start : start + 100]))
        gone += (await connection.execute(delete(RulePlace).where(which))).rowcount
    return gone


def _is(model: type[RulePlace] | type[RuleExample], use: Use) -> tuple[ColumnElement[bool], ...]:
    rule, version, route = use
    return (model.rule == rule, model.version == version, model.route == route)
