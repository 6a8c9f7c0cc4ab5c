"""The catalogue of a route's kinds of requests: which there are, which request was the first of each, how often each was seen.

It describes the traffic, so it survives builds; what was compared of each kind belongs to an epoch (store.folding). The kinds of a
route are bounded; requests of others are counted together, and can never be covered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gate.facts import Coverage, ShapeEvidence
from gate.shapes import Shape
from store.epochs import Pair, as_rows
from store.records import Ended
from store.schema import KnownShape, ShapeTotal, ShapeUnits, TrafficHour
from store.tallies import HOUR
from store.upsert import parts, upsert

_Key = tuple[str, str]
"""(route, shape)"""


async def write_traffic(connection: AsyncConnection, ended: Iterable[Ended]) -> None:
    """Counts the exchanges of each hour, whatever became of them."""
    hours: dict[tuple[str, int], int] = defaultdict(int)
    for row in ended:
        hours[row.route, int(row.at // HOUR) * HOUR] += row.count
    rows = [{"route": route, "start": start, "count": count} for (route, start), count in hours.items()]
    await upsert(connection, TrafficHour, rows, count="add")


async def write_shapes(connection: AsyncConnection, ended: Iterable[Ended], most: int) -> None:
    """Counts the kinds of the requests. A new one is found by the number of its first request, in the order of the ends."""
    counts: dict[_Key, int] = {}
    kinds: dict[_Key, Shape] = {}
    looked_at = [row for row in ended if row.shape is not None]
    for row in looked_at:
        assert row.shape is not None
        key = (row.route, row.shape.digest)
        counts[key] = counts.get(key, 0) + row.count
        kinds[key] = row.shape
    if not counts:
        return
    requests: dict[str, int] = defaultdict(int)
    for (route, _), count in counts.items():
        requests[route] += count
    totals = [{"route": route, "requests": count, "shapes": 0, "other": 0} for route, count in requests.items()]
    await upsert(
        connection, ShapeTotal, totals, requests="add"
    )  # and holds the rows: routes are numbered one batch after the other
    fresh = set(counts) - await _known(connection, counts)
    found: dict[_Key, tuple[int, float]] = {}
    if fresh:
        found = await _number(
            connection, [row for row in looked_at if row.route in {route for route, _ in fresh}], fresh, requests, most
        )
    rows = [
        {
            "route": key[0],
            "shape": key[1],
            "found": found[key][0] if key in found else 0,
            "first_at": found[key][1] if key in found else 0.0,
            "seen": count,
            "status_class": kinds[key].status_class,
            "text": kinds[key].text,
        }
        for key, count in counts.items()
        if key not in fresh or key in found
    ]
    await upsert(connection, KnownShape, rows, seen="add")
    if fresh:
        beyond: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for key in fresh:
            beyond[key[0]][0] += key in found
            beyond[key[0]][1] += 0 if key in found else counts[key]
        more = [{"route": route, "requests": 0, "shapes": new, "other": other} for route, (new, other) in beyond.items()]
        await upsert(connection, ShapeTotal, more, shapes="add", other="add")


async def _number(
    connection: AsyncConnection, ended: Iterable[Ended], fresh: Collection[_Key], requests: Mapping[str, int], most: int
) -> dict[_Key, tuple[int, float]]:
    """The number and the time of the first request of each new kind for which there is room. The routes' totals must be held."""
    totals = await _totals(connection, {route for route, _ in fresh})
    at = {route: total - requests[route] for route, (total, _) in totals.items()}
    room = {route: most - shapes for route, (_, shapes) in totals.items()}
    found: dict[_Key, tuple[int, float]] = {}
    for row in ended:
        assert row.shape is not None
        key = (row.route, row.shape.digest)
        if key in fresh and key not in found and room[row.route] > 0:
            room[row.route] -= 1
            found[key] = (at[row.route] + 1, row.at)
        at[row.route] += row.count
    return found


async def read_coverage(connection: AsyncConnection, pairs: Collection[Pair]) -> dict[str, Coverage]:
    """What is known of the routes' kinds of requests, with the units of each in these epochs."""
    routes = sorted({route for route, _ in pairs})
    units = await _units(connection, pairs)
    totals: dict[str, tuple[int, int]] = {}
    shapes: dict[str, list[tuple[int, ShapeEvidence]]] = defaultdict(list)
    for some in parts(routes):
        wanted = as_rows([(route, "") for route in some])
        found = await connection.execute(
            select(wanted.c.at, ShapeTotal.requests, ShapeTotal.other).join_from(
                wanted, ShapeTotal, ShapeTotal.route == wanted.c.route
            )
        )
        totals |= {some[at]: (int(requests), int(other)) for at, requests, other in found}
        columns = (KnownShape.shape, KnownShape.found, KnownShape.seen, KnownShape.status_class, KnownShape.text)
        kinds = await connection.execute(
            select(wanted.c.at, *columns).join_from(wanted, KnownShape, KnownShape.route == wanted.c.route)
        )
        for at, shape, first, seen, status_class, text in kinds:
            n, k = units.get((some[at], shape), (0, 0))
            shapes[some[at]].append((int(first), ShapeEvidence(shape, int(seen), n, k, int(status_class), text)))
    return {
        route: Coverage(
            requests,
            tuple(sorted(number for number, _ in shapes[route])),
            tuple(sorted((kind for _, kind in shapes[route]), key=lambda kind: (-kind.seen, kind.shape))),
            other,
        )
        for route, (requests, other) in totals.items()
    }


async def _units(connection: AsyncConnection, pairs: Collection[Pair]) -> dict[_Key, tuple[int, int]]:
    units: dict[_Key, tuple[int, int]] = {}
    for some in parts(sorted(pairs)):
        wanted = as_rows(some)
        found = await connection.execute(
            select(wanted.c.at, ShapeUnits.shape, ShapeUnits.n, ShapeUnits.k).join_from(
                wanted, ShapeUnits, and_(ShapeUnits.route == wanted.c.route, ShapeUnits.epoch == wanted.c.epoch)
            )
        )
        units |= {(some[at][0], shape): (int(n), int(k)) for at, shape, n, k in found}
    return units


async def _totals(connection: AsyncConnection, routes: Collection[str]) -> dict[str, tuple[int, int]]:
    totals: dict[str, tuple[int, int]] = {}
    for some in parts(sorted(routes)):
        wanted = as_rows([(route, "") for route in some])  # a long route is stored cut: its number says which it is
        found = await connection.execute(
            select(wanted.c.at, ShapeTotal.requests, ShapeTotal.shapes).join_from(
                wanted, ShapeTotal, ShapeTotal.route == wanted.c.route
            )
        )
        totals |= {some[at]: (int(requests), int(shapes)) for at, requests, shapes in found}
    return totals


async def _known(connection: AsyncConnection, keys: Collection[_Key]) -> set[_Key]:
    known: set[_Key] = set()
    for some in parts(sorted(keys)):
        wanted = as_rows(some)
        found = await connection.execute(
            select(wanted.c.at).join_from(
                wanted, KnownShape, and_(KnownShape.route == wanted.c.route, KnownShape.shape == wanted.c.epoch)
            )
        )
        known |= {some[at] for (at,) in found}
    return known
