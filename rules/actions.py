"""The table of actions: where each may stand, which parameters it takes, and how those are read."""

from __future__ import annotations

from typing import Any

from rules.reading import Reader
from rules.regexes import PatternError, check_pattern

FORMS = ("datetime", "date", "decimal", "duration", "uuid", "url", "whitespace", "strip", "casefold", "html", "number", "json")
TYPES = ("string", "number", "boolean", "null", "object", "array")
BUILTINS = (
    "drf-fastapi-errors",
    "decimal-string-number",
    "text-charset",
    "allow-head-options",
    "absent-on-candidate",
)
"""What presets need code for; not for rule files."""

_VALUE = ("ignore", "normalise", "tolerance", "type_only", "regex", "correlate", "exact")
ACTIONS = {
    "body": (*_VALUE, "missing_is_null", "unordered", "keyed"),
    "header": (*_VALUE, "present_only"),
    "cookie": (*_VALUE, "present_only"),
    "status": ("map", "exact"),
}
PARAMETERS = {
    "normalise": ("as", "truncate", "any_offset", "tol_s"),
    "tolerance": ("abs", "rel", "tol_s"),
    "type_only": ("types",),
    "regex": ("pattern",),
    "keyed": ("by", "order"),
    "correlate": ("name",),
    "map": ("primary", "candidate"),
    "builtin": ("builtin",),
}


def read_action(reader: Reader, target: str, presets: bool) -> dict[str, Any]:
    """The action of a rule and its parameters, as keyword arguments of Rule."""
    allowed = (*ACTIONS[target], "builtin") if presets else ACTIONS[target]
    action = reader.choice("action", allowed)
    if not action:
        if not reader.has("action"):
            reader.fault("", f"needs an action; allowed for target {target}: {', '.join(ACTIONS[target])}")
        return {"action": ""}
    found: dict[str, Any] = {"action": action}
    for other, names in PARAMETERS.items():
        if other == action:
            continue
        for name in names:
            if name not in PARAMETERS.get(action, ()) and reader.take(name) is not None:
                reader.fault(name, f"belongs to the action {other}, not to {action}")
    read = _READ.get(action)
    if read is not None:
        read(reader, found)
    return found


def _normalise(reader: Reader, found: dict[str, Any]) -> None:
    found["form"] = reader.choice("as", FORMS)
    if not reader.has("as"):
        reader.fault("", f"normalise needs 'as'; allowed: {', '.join(FORMS)}")
    found["truncate"] = reader.choice("truncate", ("ms", "s"))
    found["any_offset"] = reader.flag("any_offset")
    found["tol_s"] = reader.number("tol_s")
    if found["form"] and found["form"] != "datetime":
        for key in ("truncate", "any_offset", "tol_s"):
            if reader.has(key):
                reader.fault(key, f"belongs to 'as: datetime', not to 'as: {found['form']}'")


def _tolerance(reader: Reader, found: dict[str, Any]) -> None:
    found |= {key: reader.number(key) for key in ("abs", "rel", "tol_s")}
    if not any(reader.has(key) for key in ("abs", "rel", "tol_s")):
        reader.fault("", "tolerance needs at least one of abs, rel (numbers), tol_s (datetimes, seconds)")


def _type_only(reader: Reader, found: dict[str, Any]) -> None:
    found["types"] = _known_types(reader)


def _known_types(reader: Reader) -> tuple[str, ...]:
    types = reader.texts("types")
    for name in types:
        if name not in TYPES:
            reader.fault("types", f"got {name!r}; allowed: {', '.join(TYPES)}")
    return tuple(sorted(set(types)))


def _regex(reader: Reader, found: dict[str, Any]) -> None:
    found["pattern"] = reader.text("pattern")
    if not found["pattern"]:
        if not reader.has("pattern"):
            reader.fault("", "regex needs a pattern that matches the whole value")
        return
    try:
        check_pattern(found["pattern"])
    except PatternError as error:
        reader.fault("pattern", f"{error}; lookaround and back-references are not available, patterns run in linear time")


def _keyed(reader: Reader, found: dict[str, Any]) -> None:
    found["by"] = reader.texts("by")
    found["order"] = reader.choice("order", ("free", "kept"), "free")
    if not found["by"]:
        reader.fault("", "keyed needs 'by': the member, or the list of members, that identifies an element")


def _correlate(reader: Reader, found: dict[str, Any]) -> None:
    found["bijection"] = reader.text("name")
    if not reader.has("name"):
        reader.fault("", "correlate needs a name, e.g. 'name: item-uid': what the ids belong to")


def _map(reader: Reader, found: dict[str, Any]) -> None:
    for key in ("primary", "candidate"):
        statuses = reader.texts(key)
        good = {int(text) for text in statuses if text.isascii() and text.isdigit() and 100 <= int(text[:4]) <= 599}
        if not statuses or len(good) != len(set(statuses)):
            reader.fault(key, f"must be a status from 100 to 599, or a list of them, got {', '.join(statuses) or 'nothing'}")
        found[key] = frozenset(good)


def _builtin(reader: Reader, found: dict[str, Any]) -> None:
    found["builtin"] = reader.choice("builtin", BUILTINS)


_READ = {
    "normalise": _normalise,
    "tolerance": _tolerance,
    "type_only": _type_only,
    "regex": _regex,
    "keyed": _keyed,
    "correlate": _correlate,
    "map": _map,
    "builtin": _builtin,
}
