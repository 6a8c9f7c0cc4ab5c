"""Refutes what `correlate` rules have learnt from one pair of documents where equal ids contradict it.

A pair of unequal ids fits a one-to-one mapping only if neither of them stands for itself: where the primary knows the
candidate's id too, that id must be mapped to another one. Equal ids are never asked about by the walk; they are looked up here.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from differ.explains import type_name
from differ.place import hidden_by
from traffic.message import Side

if TYPE_CHECKING:
    from differ.place import Place
    from differ.walk import Walk

_Ids = dict[str, set[tuple[str, Any]]]


def refute(walk: Walk, primary: Any, candidate: Any) -> None:
    """Adds the pairs of the walk's findings that are no part of a one-to-one mapping as differences."""
    learnt = walk.findings.correlated
    if not learnt:
        return
    ours, theirs = (_ids(walk, document, side) for document, side in ((primary, Side.PRIMARY), (candidate, Side.CANDIDATE)))
    known, excused = walk.correlations, walk.findings.excused
    for name, a, b in excused:  # what another rule explains says nothing about the mapping
        ours[name].discard((type_name(a), a))
        theirs[name].discard((type_name(b), b))
    for rule, a, b, location in learnt:
        name = rule.bijection
        stays = (type_name(b), b) in ours[name] and not known.maps(name, b)
        stays |= (type_name(a), a) in theirs[name] and not known.maps_back(name, a)
        if stays:
            walk.findings.add(location, "value", a, b, lambda: "not one to one")


def _ids(walk: Walk, document: Any, side: Side) -> _Ids:
    """The values at places of `correlate` rules, by the name of the mapping."""
    found: _Ids = defaultdict(set)
    todo: list[tuple[Any, Place]] = [(document, walk.start())]
    while todo:
        value, place = todo.pop()
        walk.budget.spend()
        if hidden_by(place) is not None or any(
            rule.action == "type_only" and (not rule.types or type_name(value) in rule.types) for rule in place.here
        ):
            continue  # another rule explains whatever is here
        for rule in place.here:
            if rule.action == "correlate" and type_name(value) in ("string", "number"):
                found[rule.bijection].add((type_name(value), value))
        if place.state.dead and not walk.places.dynamic:
            continue
        if type(value) is dict:
            todo += [(item, walk.places.alone(place, key, side)) for key, item in value.items()]
        elif type(value) is list:
            todo += [(item, walk.places.alone(place, at, side)) for at, item in enumerate(value)]
    return found
