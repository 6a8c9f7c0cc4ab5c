"""The route table as rows of text, for the way from the parent to its workers. Only the parent reads route documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from traffic.route import Route, RouteTable


def rows_of(table: RouteTable) -> tuple[tuple[str, ...], ...]:
    """Each route as method, template, candidate template or "", mirror or "", source."""
    return tuple(
        (route.method, route.template, route.candidate_template or "", route.mirror or "", route.source)
        for route in table.routes.values()
    )


def table_of(rows: Iterable[Sequence[str]], maximum: int) -> RouteTable:
    """The table of such rows. Raises ValueError for rows of another shape."""
    return RouteTable(
        (Route(m, template, candidate or None, mirror or None, source) for m, template, candidate, mirror, source in rows),
        maximum,
    )
