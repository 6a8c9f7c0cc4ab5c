"""The table of actions: what each explains, where it may stand, which parameters it takes. The loader and the JSON Schema read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rules.kinds import Choice, Flag, Number, Statuses, Text, Words
from rules.reading import Kind, Reader
from rules.regexes import PatternError, check_pattern

FORMS = ("datetime", "date", "decimal", "duration", "uuid", "url", "whitespace", "strip", "casefold", "html", "number", "json")
TYPES = ("string", "number", "boolean", "null", "object", "array")
BUILTINS = (
    "drf-fastapi-errors",
    "decimal-string-number",
    "text-charset",
    "allow-head-options",
    "absent-on-candidate",
    "vary-accept-cookie",
    "slash-redirect",
)
"""What presets need code for; not for rule files."""
TARGETS = ("body", "header", "cookie", "status")
ORDERS = ("free", "kept")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an action. `about` is one line for people; `needs` is another parameter and the value it must have."""

    kind: Kind
    about: str
    required: bool = False
    needs: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One action. `about` says when it explains a difference; of `any_of` at least one parameter has to be there.

    `narrowed` holds, by target, the parameters that are narrower there: a header and a cookie are texts. None: not taken there.
    """

    about: str
    targets: tuple[str, ...]
    parameters: dict[str, Parameter] = field(default_factory=dict)
    any_of: tuple[str, ...] = ()
    narrowed: dict[str, dict[str, Kind | None]] = field(default_factory=dict)

    def parameters_of(self, target: str) -> dict[str, Parameter]:
        """The parameters it takes for a target."""
        limits = self.narrowed.get(target, {})
        taken = {}
        for name, parameter in self.parameters.items():
            kind = limits.get(name, parameter.kind)
            if kind is not None:
                taken[name] = Parameter(kind, parameter.about, parameter.required, parameter.needs)
        return taken


_VALUES = ("body", "header", "cookie")
_DATETIME = ("as", "datetime")
_TEXT_FORMS = Choice(tuple(form for form in FORMS if form != "number"))
_TEXT_TYPE = Words(("string",))
ACTION_TABLE: dict[str, Action] = {
    "ignore": Action("always, the whole subtree; also where one side lacks it", _VALUES),
    "normalise": Action(
        "the canonical forms are equal",
        _VALUES,
        {
            "as": Parameter(Choice(FORMS), "the form in which both sides are compared", required=True),
            "truncate": Parameter(Choice(("ms", "s")), "datetimes are cut to milliseconds or seconds first", needs=_DATETIME),
            "any_offset": Parameter(Flag(), "datetimes of one instant are equal, whatever their offsets", needs=_DATETIME),
            "tol_s": Parameter(Number(), "seconds that datetimes may lie apart, inclusive", needs=_DATETIME),
        },
        narrowed={"header": {"as": _TEXT_FORMS}, "cookie": {"as": _TEXT_FORMS}},
    ),
    "tolerance": Action(
        "two numbers (never texts or booleans of a body), or two datetimes, lie within a bound, inclusive",
        _VALUES,
        {
            "abs": Parameter(Number(), "how far two numbers may lie apart"),
            "rel": Parameter(Number(), "how far two numbers may lie apart, as a share of the greater one"),
            "tol_s": Parameter(Number(), "how many seconds two datetimes may lie apart"),
        },
        any_of=("abs", "rel", "tol_s"),
        narrowed={"cookie": {"abs": None, "rel": None}},
    ),
    "type_only": Action(
        "both have the same type, one of `types` where that is given",
        _VALUES,
        {"types": Parameter(Words(TYPES), "the types that may differ in value; any when left out")},
        narrowed={"header": {"types": _TEXT_TYPE}, "cookie": {"types": _TEXT_TYPE}},
    ),
    "regex": Action(
        "both match, as a whole",
        _VALUES,
        {"pattern": Parameter(Text(), "an RE2 pattern that matches the whole value", required=True)},
    ),
    "missing_is_null": Action("one side lacks it and the other has null", ("body",)),
    "unordered": Action("the list is the same multiset after the rules below it", ("body",)),
    "keyed": Action(
        "the list is aligned by a key; what differs inside its elements is still compared",
        ("body",),
        {
            "by": Parameter(
                Words(what="the name of a member"), "the member, or members, that identify an element", required=True
            ),
            "order": Parameter(Choice(ORDERS, "free"), "free: any order; kept: another order is a difference"),
        },
    ),
    "correlate": Action(
        "the pair fits a one-to-one mapping of the primary's ids to the candidate's",
        _VALUES,
        {"name": Parameter(Text(), "what the ids belong to, e.g. item-uid", required=True)},
    ),
    "map": Action(
        "the primary has one of these statuses and the candidate one of those",
        ("status",),
        {
            "primary": Parameter(Statuses(), "the primary's status, or a list", required=True),
            "candidate": Parameter(Statuses(), "the candidate's status, or a list", required=True),
        },
    ),
    "present_only": Action("both sides have it", ("header", "cookie")),
    "exact": Action("never: it cancels every less specific rule at its place, an ignore above it included", TARGETS),
}
ACTIONS = {target: tuple(name for name, action in ACTION_TABLE.items() if target in action.targets) for target in TARGETS}
PARAMETERS = {name: tuple(action.parameters) for name, action in ACTION_TABLE.items() if action.parameters}
_FIELDS = {"as": "form", "name": "bijection"}
"""Where Rule calls a parameter otherwise."""


def read_action(reader: Reader, target: str, preset: bool) -> dict[str, Any]:
    """The action of a rule and its parameters, as keyword arguments of Rule."""
    allowed = (*ACTIONS[target], "builtin") if preset else ACTIONS[target]
    name = _name(reader, target, allowed)
    if not name:
        return {"action": ""}
    if name == "builtin":
        return {"action": name, "builtin": Choice(BUILTINS).read(reader, "builtin")}
    action = ACTION_TABLE[name]
    taken = action.parameters_of(target)
    _refuse_others(reader, name, target, taken)
    found: dict[str, Any] = {"action": name}
    for key, parameter in taken.items():
        found[_FIELDS.get(key, key)] = parameter.kind.read(reader, key)
        if parameter.required and not reader.has(key):
            reader.fault("", f"{name} needs '{key}': {parameter.about}")
        if parameter.needs is not None and reader.has(key):
            other, value = parameter.needs
            got = found[_FIELDS.get(other, other)]
            if got and got != value:
                reader.fault(key, f"belongs to '{other}: {value}', not to '{other}: {got}'")
    if action.any_of and not any(reader.has(key) for key in action.any_of if key in taken):
        wanted = [f"{key} ({taken[key].about})" for key in action.any_of if key in taken]
        reader.fault("", f"{name} needs {'at least one of ' if len(wanted) > 1 else ''}{', '.join(wanted)}")
    if preset and name == "map":  # a condition that statuses alone do not say
        found["builtin"] = Choice(BUILTINS).read(reader, "builtin")
    if name == "regex" and found["pattern"]:
        _check_pattern(reader, found["pattern"])
    if name == "keyed":
        found["order"] = found["order"] or "free"
    if "types" in found:
        found["types"] = tuple(sorted(found["types"]))
    return found


def _name(reader: Reader, target: str, allowed: tuple[str, ...]) -> str:
    member = reader.take("action")
    if member is None:
        reader.fault("", f"needs an action; allowed for target {target}: {', '.join(ACTIONS[target])}")
        return ""
    if isinstance(member.value, str) and member.value in ACTION_TABLE and member.value not in allowed:
        where = ", ".join(ACTION_TABLE[member.value].targets)
        reader.fault(
            "action", f"{member.value} is for target {where}, not for {target}; allowed there: {', '.join(ACTIONS[target])}"
        )
        return ""
    return Choice(allowed).read(reader, "action")


def _refuse_others(reader: Reader, name: str, target: str, taken: dict[str, Parameter]) -> None:
    for key in {key: None for keys in PARAMETERS.values() for key in keys}:
        if key in taken or not reader.has(key):
            continue
        if key in ACTION_TABLE[name].parameters:
            reader.fault(
                key, f"{name} does not take it for a {target}, whose value is a text; allowed there: {', '.join(taken)}"
            )
        else:
            owners = " or ".join(action for action, keys in PARAMETERS.items() if key in keys)
            reader.fault(key, f"belongs to the action {owners}, not to {name}")


def _check_pattern(reader: Reader, pattern: str) -> None:
    try:
        check_pattern(pattern)
    except PatternError as error:
        reader.fault("pattern", f"{error}; lookaround and back-references are not available, patterns run in linear time")
