"""How the scopes of two rules lie to each other."""

from __future__ import annotations

from functools import lru_cache

from rules.model import Scope

STATUSES = range(100, 600)


@lru_cache(maxsize=256)
def statuses(entries: tuple[str, ...]) -> frozenset[int]:
    """The statuses that a scope's entries admit."""
    scope = Scope(statuses=entries)
    return frozenset(status for status in STATUSES if scope.admits("GET", "", status, ""))


def scopes_meet(one: Scope, other: Scope) -> bool:
    """Whether some answer lies in both."""
    if one.route and other.route and one.route != other.route:
        return False
    if one.methods and other.methods and not one.methods & other.methods:
        return False
    if one.content_type and other.content_type and not _media_meet(one.content_type, other.content_type):
        return False
    return not (one.statuses and other.statuses) or bool(statuses(one.statuses) & statuses(other.statuses))


def scope_covers(outer: Scope, inner: Scope) -> bool:
    """Whether every answer in `inner` lies in `outer`."""
    if outer.route and outer.route != inner.route:
        return False
    if outer.methods and not (inner.methods and inner.methods <= outer.methods):
        return False
    if outer.content_type and not _media_covers(outer.content_type, inner.content_type):
        return False
    return not outer.statuses or statuses(inner.statuses) <= statuses(outer.statuses)


def _media_meet(one: str, other: str) -> bool:
    return _media_covers(one, other) or _media_covers(other, one)


def _media_covers(outer: str, inner: str) -> bool:
    return outer == inner or (outer.endswith("/*") and inner.startswith(outer[:-1]))
