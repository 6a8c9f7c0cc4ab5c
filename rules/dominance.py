"""Whether one rule explains everything that another one does, and which kinds of values a rule speaks of."""

from __future__ import annotations

from datetime import date

from rules.model import Rule

_BOTH_PRESENT = ("normalise", "tolerance", "type_only", "regex", "correlate", "builtin", "present_only")
_PRESENT = frozenset({"string", "number", "boolean", "null", "object", "array"})
_FORM_TYPES = {"number": {"number"}, "decimal": {"string", "number", "mixed"}, "duration": {"string", "mixed"}}
_CUTS = ("", "ms", "s")


def domain(rule: Rule) -> frozenset[str]:
    """What pairs of values a body rule may explain: by type, `absent` for a missing side, `mixed` for a text beside a number."""
    if rule.action == "ignore":
        return _PRESENT | {"absent", "mixed"}
    if rule.action == "missing_is_null":
        return frozenset({"absent"})
    if rule.action == "type_only":
        return frozenset(rule.types) or _PRESENT
    if rule.action == "regex":
        return frozenset({"string"})
    if rule.action == "tolerance":
        numbers = {"number"} if rule.abs is not None or rule.rel is not None else set()
        return frozenset(numbers | ({"string"} if rule.tol_s is not None else set()))
    if rule.action == "normalise":
        return frozenset(_FORM_TYPES.get(rule.form, {"string"}))
    if rule.action == "correlate":
        return frozenset({"string", "number"})
    if rule.action in ("unordered", "keyed"):
        return frozenset({"array"})
    return frozenset({"mixed"}) if rule.builtin == "decimal-string-number" else frozenset()


def explains_all_of(one: Rule, other: Rule) -> bool:
    """Whether `one` explains at a place whatever `other` explains there. Careful: False where that is not certain."""
    if (
        one.target != other.target
        or "exact" in (one.action, other.action)
        or (other.action == "keyed" and other.order == "kept")
    ):
        return False
    if one.action == "ignore":
        return True
    if one.target == "header" and (
        one.action == "present_only" or (one.action == "type_only" and other.action != "present_only")
    ):
        return other.action in _BOTH_PRESENT and other.builtin != "absent-on-candidate"
    if one.target == "cookie" and one.action == "present_only":
        return other.action in _BOTH_PRESENT
    if one.action == "type_only" and other.action != "present_only":
        return _is_pairwise(other) and domain(other) <= domain(one)
    return one.action == other.action and _as_wide(one, other)


def _is_pairwise(rule: Rule) -> bool:
    return rule.action in ("type_only", "regex", "tolerance", "normalise", "correlate")


def _as_wide(one: Rule, other: Rule) -> bool:
    """Two rules of one action."""
    if one.action == "tolerance":
        return all(_reaches(getattr(one, name), getattr(other, name)) for name in ("abs", "rel", "tol_s"))
    if one.action == "normalise":
        if one.form != other.form or other.any_offset > one.any_offset:
            return False
        if one.tol_s is None and other.tol_s is None:
            return _CUTS.index(one.truncate) >= _CUTS.index(other.truncate)
        return one.truncate == other.truncate and _reaches(one.tol_s, other.tol_s)
    if one.action == "map":
        return other.primary <= one.primary and other.candidate <= one.candidate
    if one.action == "correlate":  # a mapping with more pairs may contradict itself where one with fewer does not
        return (one.path, one.scope, one.bijection) == (other.path, other.scope, other.bijection)
    return (one.pattern, one.by, one.order, one.builtin) == (other.pattern, other.by, other.order, other.builtin)


def _reaches(bound: float | None, other: float | None) -> bool:
    return other is None or (bound is not None and bound >= other)


def outlives(one: Rule, other: Rule, today: date) -> bool:
    """Whether `one` holds today and as long as `other` does."""
    if one.expired(today):
        return False
    if one.permanent or one.expires is None:
        return True
    return other.expires is not None and not other.permanent and other.expires <= one.expires
