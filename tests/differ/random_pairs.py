"""Random pairs of small, nasty JSON documents with random rules, spelled as bodies. All from one seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from tests.differ.oracle_rules import Rule, Segment
from tests.differ.oracle_values import BASES, Number, explains
from tests.differ.vocabulary import ALIKE, NAMES, NUMBERS, TEXTS, USUAL


@dataclass(frozen=True)
class Case:
    """A pair of documents, their bodies, the rules and settings."""

    primary: Any
    candidate: Any
    bodies: tuple[bytes, bytes]
    rules: tuple[Rule, ...]
    off: tuple[str, ...] = ()
    drop_query: tuple[tuple[str, str], ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The rules in the case file's form."""
        return {
            "rules": [{"id": rule.called, "path": rule.path, **rule.entry} for rule in self.rules if rule.own],
            "presets": sorted({rule.called for rule in self.rules if not rule.own}),
            "settings": {
                "bases": {"primary": [BASES[0]], "candidate": [BASES[1]]},
                "class1": {"disable": list(self.off)},
                "drop_query": [list(pair) for pair in self.drop_query],
            },
        }

    def shown(self) -> str:
        """Everything needed to see a disagreement again."""
        return json.dumps({"bodies": [body.decode("utf-8", "surrogatepass") for body in self.bodies], **self.document})


class Maker:
    """Makes cases from a seed."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)

    # documents

    def scalar(self) -> Any:
        roll = self.random.random()
        if roll < 0.12:
            return None
        if roll < 0.24:
            return self.random.random() < 0.5
        if roll < 0.6:
            few = self.random.random() < 0.6
            return Number(self.random.choice(NUMBERS[:10] if few else NUMBERS))
        return self.random.choice(TEXTS)

    def name(self) -> str:
        return self.random.choice(USUAL if self.random.random() < 0.7 else NAMES)

    def value(self, depth: int = 0) -> Any:
        roll = self.random.random()
        if depth >= 4 or roll < (0.1 if depth == 0 else 0.25 + 0.12 * depth):
            return self.scalar()
        if roll < 0.55:
            return {self.name(): self.value(depth + 1) for _ in range(self.random.randrange(4))}
        if self.random.random() < 0.5:
            return self.records(depth)
        size = self.random.randrange(5)
        if self.random.random() < 0.4:
            return [self.scalar() for _ in range(size)]
        return [self.value(depth + 1) for _ in range(size)]

    def records(self, depth: int) -> list[Any]:
        """Objects with ids, most of them all different."""
        made = []
        for at in range(self.random.randrange(1, 5)):
            record: dict[str, Any] = {"id": Number(str(at)) if self.random.random() < 0.9 else self.scalar()}
            for _ in range(self.random.randrange(3)):
                record.setdefault(self.name(), self.value(depth + 2))
            if self.random.random() < 0.05:
                del record["id"]
            made.append(record)
        return made

    # mutations

    def mutated(self, document: Any) -> Any:
        """A copy with a few changes somewhere."""
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            places = list(_places(document))
            document = self._changed(document, self.random.choice(places))
        return document

    def _changed(self, document: Any, place: tuple[str | int, ...]) -> Any:
        if not place:
            return self._other(document)
        step, rest = place[0], place[1:]
        if isinstance(document, dict):
            if not rest and self.random.random() < 0.25:
                return {key: value for key, value in document.items() if key != step}
            return {key: self._changed(value, rest) if key == step else value for key, value in document.items()}
        if not rest and self.random.random() < 0.2:
            return [item for at, item in enumerate(document) if at != step]
        return [self._changed(item, rest) if at == step else item for at, item in enumerate(document)]

    def _other(self, value: Any) -> Any:
        roll = self.random.random()
        if isinstance(value, list) and roll < 0.85:
            copy = list(value)
            if roll < 0.4:
                self.random.shuffle(copy)
            elif roll < 0.55:
                copy.insert(self.random.randrange(len(copy) + 1), self.value(3))
            elif roll < 0.65 and copy:
                copy.insert(self.random.randrange(len(copy) + 1), self.random.choice(copy))
            elif copy:
                copy[self.random.randrange(len(copy))] = self.random.choice(copy)
            return copy
        if isinstance(value, dict) and roll < 0.8:
            copy_of = dict(value)
            if roll < 0.5:
                copy_of[self.name()] = None if roll < 0.3 else self.value(3)
            elif copy_of:
                copy_of[self.random.choice(sorted(copy_of))] = None
            return copy_of
        if isinstance(value, Number) and roll < 0.5:
            alike = [token for token in NUMBERS if Number(token).value == value.value]
            return Number(self.random.choice(alike))
        if isinstance(value, str) and roll < 0.6 and value:
            alike_texts = [text for text in TEXTS if text.casefold()[:12].strip() == value.casefold()[:12].strip()]
            return self.random.choice(alike_texts or TEXTS)
        if isinstance(value, bool) and roll < 0.5:
            return Number("1" if value else "0")
        return self.scalar() if roll < 0.95 else self.value(2)

    # bodies

    def body(self, document: Any) -> bytes:
        """A spelling of a document: blanks, order of members and escapes are free."""
        blank = self.random.choice(("", " ", "\n  "))
        escaped = self.random.random() < 0.4
        return self._spelled(document, blank, escaped).encode("utf-8", "surrogatepass")

    def _spelled(self, value: Any, blank: str, escaped: bool) -> str:
        if isinstance(value, Number):
            return value.token
        if isinstance(value, str):
            surrogate = any("\ud800" <= character <= "\udfff" for character in value)
            return json.dumps(value, ensure_ascii=escaped or surrogate)
        if isinstance(value, list):
            return f"[{blank}{f',{blank}'.join(self._spelled(item, blank, escaped) for item in value)}{blank}]"
        if isinstance(value, dict):
            names = list(value)
            self.random.shuffle(names)
            parts = [
                f"{json.dumps(name, ensure_ascii=escaped)}{blank}:{blank}{self._spelled(value[name], blank, escaped)}"
                for name in names
            ]
            return f"{{{blank}{f',{blank}'.join(parts)}}}"
        return json.dumps(value)

    # rules

    def segments(self, place: tuple[str | int, ...] | None) -> tuple[Segment, ...]:
        """A path: any one, or one that leads to a place of the documents, some of its steps made general."""
        if place is None:
            return tuple(self.segment() for _ in range(self.random.choice((0, 1, 1, 1, 2, 2, 2, 3))))
        made: list[Segment] = []
        skipped = False
        for at, step in enumerate(place):
            if at < len(place) - 1 and self.random.random() < 0.1:
                skipped = True
                continue
            made.append(self._leading(step, skipped))
            skipped = False
        return tuple(made)

    def _leading(self, step: str | int, skipped: bool) -> Segment:
        dots, roll = ".." if skipped else "", self.random.random()
        if roll < 0.1:
            return self.segment()
        if isinstance(step, str) and roll < 0.75:
            return Segment(f"{dots}[{json.dumps(step, ensure_ascii=False)}]", ("name",), skipped)
        if isinstance(step, int) and roll < 0.3:
            return Segment(f"{dots}[{step}]", ("index",), skipped)
        return Segment(f"{dots}[*]", ("star",), skipped)

    def segment(self) -> Segment:
        roll = self.random.random()
        descends = self.random.random() < 0.2
        dots = ".." if descends else ""
        if roll < 0.42:
            name = self.name()
            return Segment(f"{dots}[{json.dumps(name, ensure_ascii=False)}]", ("name",), descends)
        if roll < 0.7:
            return Segment(f"{dots}[*]", ("star",), descends)
        if roll < 0.8:
            return Segment(f"{dots}[{self.random.randrange(3)}]", ("index",), descends)
        text, kinds = self.random.choice(
            (
                ('["a","b"]', ("name", "name")),
                ("[0,1]", ("index", "index")),
                ('["id",0]', ("name", "index")),
                ("[*,0]", ("star", "index")),
                ("[-1]", ("dynamic",)),
                ("[1:]", ("dynamic",)),
                ("[::2]", ("dynamic",)),
                ("[:-1]", ("dynamic",)),
                ("[::-1]", ("dynamic",)),
                ("[?@.id==1]", ("dynamic",)),
                ("[?@.id==$.id]", ("dynamic",)),
                ("[?@.a]", ("dynamic",)),
                ("[?@ > 0]", ("dynamic",)),
                ("[?@ != null]", ("dynamic",)),
                ("[?@.id == '1' || !@.b]", ("dynamic",)),
                ("[?count(@.*) > 1]", ("dynamic",)),
                ("[0,?@.a]", ("index", "dynamic")),
                ('["a",-1]', ("name", "dynamic")),
            )
        )
        return Segment(dots + text, kinds, descends)

    def action(self) -> dict[str, Any]:
        pick = self.random.choice
        kinds = ("ignore", "normalise", "normalise", "normalise", "tolerance", "type_only", "regex", "missing_is_null")
        kind = pick((*kinds, "unordered", "unordered", "unordered", "keyed", "keyed", "correlate", "exact", "exact"))
        if kind == "normalise":
            forms = ("datetime", "datetime", "date", "decimal", "duration", "uuid", "url")
            entry: dict[str, Any] = {
                "action": kind,
                "as": pick((*forms, "whitespace", "strip", "casefold", "html", "number", "json")),
            }
            if entry["as"] == "datetime":
                entry |= pick(({}, {"any_offset": True}, {"truncate": "ms"}, {"truncate": "s"}, {"tol_s": 5}, {"tol_s": 0.5}))
                if self.random.random() < 0.3:
                    entry["any_offset"] = True
            return entry
        if kind == "tolerance":
            return {
                "action": kind,
                **pick(({"abs": 1}, {"abs": 0.1}, {"rel": 0.5}, {"tol_s": 3}, {"abs": 0, "rel": 0.01, "tol_s": 0})),
            }
        if kind == "type_only":
            types = pick((None, ["string"], ["number", "null"], ["array", "object"], ["object"], ["boolean", "string"]))
            return {"action": kind} if types is None else {"action": kind, "types": types}
        if kind == "regex":
            return {"action": kind, "pattern": pick(("[a-z ]*", "[0-9.]+", ".*", "[Aa]", "[1-3ab]", "20.*Z?", "https?://.*"))}
        if kind == "keyed":
            entry = {"action": kind, "by": pick(("id", "id", "id", "a", ["id", "a"], "code"))}
            return entry | ({"order": "kept"} if self.random.random() < 0.15 else {})
        return {"action": kind, **({"name": "x"} if kind == "correlate" else {})}

    def _suited(self, a: Any, b: Any) -> dict[str, Any]:
        """An action; every other one explains two unequal leaves, or says something about a list."""
        entry = self.action()
        if self.random.random() < 0.5:
            return entry
        for _ in range(12):
            if isinstance(a, list) and isinstance(b, list):
                if entry["action"] in ("unordered", "keyed"):
                    return entry
            elif explains(entry, a, b):
                return entry
            entry = self.action()
        return entry

    def rules(self, primary: Any, candidate: Any) -> tuple[Rule, ...]:
        """A few rules, most of them for places that there are, and half of these for places that differ."""
        everywhere = [*_places(primary), *_places(candidate)]
        differing = [place for place in everywhere if _at(primary, place) != _at(candidate, place)] or everywhere
        made = []
        for at in range(self.random.choice((0, 1, 1, 2, 2, 3, 4, 5))):
            place = self.random.choice(differing if self.random.random() < 0.6 else everywhere)
            entry = self._suited(_at(primary, place), _at(candidate, place))
            if self.random.random() < 0.12:
                entry["scope"] = self.random.choice(
                    (
                        {"route": "/api/items/"},
                        {"route": "/other/"},
                        {"method": ["GET"]},
                        {"method": ["POST"]},
                        {"status": ["2xx"]},
                        {"status": ["404"]},
                        {"status": ["!2xx"]},
                        {"content_type": "application/json"},
                        {"content_type": "text/*"},
                        {"route": "/api/items/", "status": ["!405"]},
                    )
                )
            if self.random.random() < 0.06:
                entry["expires"] = self.random.choice(("2026-11-20", "2026-11-21"))
            segments = self.segments(place if self.random.random() < 0.85 else None)
            if entry["action"] == "ignore" and not any(set(segment.kinds) & {"name"} for segment in segments):
                entry = {"action": "type_only"}  # an ignore of whole documents does not load
            made.append(Rule(f"r{at}", entry, segments))
        if self.random.random() < 0.1:
            made += self.preset()
        return tuple(made)

    def preset(self) -> list[Rule]:
        """What a preset stands for, written down again."""
        name, entry = self.random.choice(
            (
                ("datetime-instant", {"action": "normalise", "as": "datetime", "any_offset": True}),
                ("datetime-ms", {"action": "normalise", "as": "datetime", "truncate": "ms"}),
                ("duration", {"action": "normalise", "as": "duration"}),
                ("decimal-string-number", {"action": "builtin"}),
            )
        )
        everywhere = (Segment("..[*]", ("star",), True),)
        return [Rule(name, entry, (), own=False), Rule(name, entry, everywhere, own=False)]

    def case(self) -> Case:
        """One case; one in eight documents has nothing to do with the other."""
        primary = {"data": self.value(1), "b": self.scalar()} if self.random.random() < 0.4 else self.value()
        candidate = self.value() if self.random.random() < 0.12 else self.mutated(primary)
        if self.random.random() < 0.5:
            primary, candidate = candidate, primary
        off = tuple(name for name in ("repr:number", "repr:datetime", "repr:url") if self.random.random() < 0.05)
        drop: tuple[tuple[str, str], ...] = (("page", "1"),) if self.random.random() < 0.15 else ()
        return Case(primary, candidate, (self.body(primary), self.body(candidate)), self.rules(primary, candidate), off, drop)

    def long_case(self) -> Case:
        """A long list of few different elements, another order of it in which some are exchanged for what rules may hold alike."""
        few = [self.value(3) for _ in range(self.random.choice((1, 2, 3)))]
        few += self.random.choice(ALIKE)
        ours = self.random.choices(few, k=self.random.randrange(60, 140))
        theirs = [self.random.choice(few) if self.random.random() < 0.3 else item for item in ours]
        if self.random.random() < 0.7:
            theirs = list(ours) if self.random.random() < 0.3 else theirs
            self.random.shuffle(theirs)
        element = (Segment('["data"]', ("name",)), Segment("[*]", ("star",)))
        rules = [
            Rule(
                "list",
                self.random.choice(({"action": "unordered"}, {"action": "unordered"}, {"action": "keyed", "by": "id"})),
                element[:1],
            )
        ]
        for at in range(self.random.randrange(4)):
            entry = self.action()
            if entry["action"] not in ("ignore", "correlate", "exact", "unordered", "keyed"):
                rules.append(Rule(f"r{at}", entry, element))
        documents = {"data": ours}, {"data": theirs}
        return Case(*documents, (self.body(documents[0]), self.body(documents[1])), tuple(rules))


def _places(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [place]
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        found += _places(item, (*place, key))
    return found


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
