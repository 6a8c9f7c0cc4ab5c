"""Which policy holds for which route: the profile, over it `[gate]`, over that the route's tier, over that the route's own entry."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from gate.overrides import checked, overridden
from gate.policy import Policy, profile_policy
from traffic.route import Route, RouteError, parse_match

USUAL_TIER = "B"
TIER_PARITY = {"A": 0.9999, "B": 0.999, "C": 0.99}
"""What each tier asks for (p0) where the settings do not say."""
_ROUNDING = 1e-9
_MOST_KEPT = 20_000


class ByRoute(Protocol):
    """Whatever knows the policy of each route: Policies, or a Policy alone, which is every route's."""

    @property
    def usual(self) -> Policy:
        """What holds where routes are not told apart."""

    def of(self, label: str) -> Policy:
        """The policy of the route with this label."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of every route. `routes` are those with an entry of their own, by identity."""

    tiers: Mapping[str, Policy]
    routes: Mapping[tuple[str, str], Policy]
    labels: tuple[str, ...]
    """The routes with an entry, as they are written there."""
    tier_of: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _found: dict[str, Policy] = field(default_factory=dict, compare=False, repr=False)

    @property
    def usual(self) -> Policy:
        """The policy of a route that no entry names: tier B's. What is the same for all routes (units, leases) is its, too."""
        return self.tiers[USUAL_TIER]

    def of(self, label: str) -> Policy:
        """The policy of the route with this label; parameter names make no difference. Never raises."""
        known = self._found.get(label)
        if known is None:
            identity = _identity(label)
            known = self.routes.get(identity, self.usual) if identity is not None else self.usual
            if len(self._found) < _MOST_KEPT:
                self._found[label] = known
        return known

    def unknown(self, labels: Collection[str]) -> tuple[str, ...]:
        """The entries that name none of the routes with these labels."""
        there = {_identity(label) for label in labels}
        return tuple(label for label in self.labels if _identity(label) not in there)

    def tier(self, label: str) -> str:
        """The route's tier: `A`, `B` or `C`."""
        identity = _identity(label)
        return self.tier_of.get(identity, USUAL_TIER) if identity is not None else USUAL_TIER


def policies_for(profile: str, parity: float, alpha: float, overrides: Mapping[str, object]) -> Policies:
    """The policies of `profile` for tier B's `parity` and total `alpha`; `overrides` is the settings' `[gate]` as nested dicts.

    Every tier and route is resolved and checked here. Raises ValueError that names the key.

    alpha is spread by weight: a route with a `weight` gets that share of it, all others share `reserve` of it. Weights and reserve add up
    to 1 at the most, and nothing is scaled to make them: a route that is added takes nothing from what others have spent (S13).
    """
    routes = _entries(overrides.get("routes"))
    reserve = _reserve(overrides.get("reserve"), routes)
    given = _mapping("gate.tiers", overrides.get("tiers"))
    tiers = {
        name: _tier(profile, name, parity, alpha, reserve, overrides, _mapping(f"gate.tiers.{name}", given.get(name)))
        for name in TIER_PARITY
    }
    own: dict[tuple[str, str], Policy] = {}
    names: dict[tuple[str, str], str] = {}
    tier_of: dict[tuple[str, str], str] = {}
    for number, entry in enumerate(routes):
        label = str(entry.get("route"))
        place = f"gate.routes[{number}] ({label})"
        identity = _identity(label)
        if identity is None:
            raise ValueError(
                f"{place}: route = {label!r} is no route: write a method and a template, e.g. 'GET /api/orders/{{id}}'"
            )
        if identity in own:
            raise ValueError(f"{place}: is the same route as {names[identity]!r}, which has an entry already: merge the two")
        tier = str(entry.get("tier") or USUAL_TIER)
        if tier not in tiers:
            raise ValueError(f"{place}.tier = {tier!r} is not known: choose one of {', '.join(tiers)}")
        own[identity] = _own(tiers[tier], alpha, entry, place)
        names[identity], tier_of[identity] = label, tier
    return Policies(tiers, own, tuple(names.values()), tier_of)


def _tier(
    profile: str,
    name: str,
    parity: float,
    alpha: float,
    reserve: float,
    overrides: Mapping[str, object],
    table: Mapping[str, object],
) -> Policy:
    given = table.get("parity")
    if given is not None:
        asked = _share(f"gate.tiers.{name}", given)
    elif name == USUAL_TIER:
        asked = parity
    else:  # the demonstration asks little of every tier, unless somebody asks for more
        asked = TIER_PARITY[USUAL_TIER if profile == "demo" else name]
    made = overridden(profile_policy(profile, asked, alpha), overrides)
    return checked(overridden(replace(made, alpha=alpha * reserve), table, f"gate.tiers.{name}"), f"gate.tiers.{name}")


def _own(tier: Policy, alpha: float, entry: Mapping[str, object], place: str) -> Policy:
    made = overridden(tier, entry, place)
    if entry.get("parity") is not None:  # what is asked for one route is asked for as it stands, also in the strict profile
        made = replace(made, p0=_share(f"{place}.parity", entry["parity"]))
    if entry.get("weight") is not None:
        made = replace(made, alpha=alpha * _weight(place, entry["weight"]), split_alpha=False)
    return checked(made, place)


def _reserve(value: object, routes: Iterable[Mapping[str, object]]) -> float:
    reserve = 1.0 if value is None else value
    if isinstance(reserve, bool) or not isinstance(reserve, int | float) or not 0.0 < reserve <= 1.0:
        raise ValueError(f"gate.reserve = {value!r} is a share of gate.alpha: more than 0, at most 1, e.g. 0.5 for half of it")
    weights = [
        _weight(f"gate.routes[{number}] ({entry.get('route')})", entry["weight"])
        for number, entry in enumerate(routes)
        if entry.get("weight") is not None
    ]
    total = math.fsum(weights)
    if total + reserve > 1.0 + _ROUNDING:
        left = max(0.0, 1.0 - total)
        remedy = f"set gate.reserve to at most {left:.6g}" if left > _ROUNDING else "make the weights smaller"
        raise ValueError(
            f"gate.routes: the weights add up to {total:.6g}, and gate.reserve = {reserve:g} is for the routes without one: "
            f"together {total + reserve:.6g}, at most 1 is allowed; {remedy}"
        )
    return float(reserve)


def _weight(place: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value <= 1.0:
        raise ValueError(f"{place}.weight = {value!r} is a share of gate.alpha: more than 0, at most 1")
    return float(value)


def _share(place: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise ValueError(f"{place} = {value!r} must lie between 0 and 1 (both excluded)")
    return float(value)


def _entries(value: object) -> list[Mapping[str, object]]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise ValueError(f"gate.routes = {value!r} is no list: write [[gate.routes]]")
    return [_mapping(f"gate.routes[{number}]", entry) for number, entry in enumerate(value)]


def _mapping(place: str, value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} = {value!r} is no table")
    return value


def _identity(label: str) -> tuple[str, str] | None:
    try:
        return Route(*parse_match(label)).identity
    except RouteError:
        return None  # `__unrouted__`, which is never promoted
