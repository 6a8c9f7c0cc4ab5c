"""Costly lists: long ones of few values, reordered objects, lists in lists."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.differ.costly import (
    DEEP_UNORDERED,
    KEYED,
    UNORDERED,
    Pair,
    Rules,
    Sized,
    documents,
    nested,
    raw,
    rule,
    shuffled,
    spelled,
)

LIST_RULES: dict[str, Rules] = {
    "plain": (),
    "unordered": (UNORDERED,),
    "keyed": (KEYED,),
    "keyed+unordered": (KEYED, UNORDERED),
    "keyed kept": (rule("$", "keyed", by="id", order="kept"),),
    "exact below": (UNORDERED, rule("$[0]", "exact")),
    "regex or types": (UNORDERED, rule("$[*]", "regex", pattern="[a-m]*"), rule("$[*]", "type_only", types=["string"])),
    "tolerance": (rule("$[*]", "tolerance", abs=0.1),),
    "correlate": (UNORDERED, rule("$[*]", "correlate", name="x")),
    "dynamic": (rule("$[?@ != 3]", "normalise", **{"as": "decimal"}),),
}


def bits(size: int, seed: int) -> list[int]:
    """Random zeros and ones."""
    return random.Random(seed).choices((0, 1), k=size)


def things(size: int, *, key: str = "id", nested: bool = True) -> list[dict[str, Any]]:
    """Objects such as an API lists."""
    made: list[dict[str, Any]] = []
    for at in range(size):
        thing: dict[str, Any] = {key: at, "name": f"name {at}", "price": f"{at % 97}.50", "tags": ["a", "b", str(at % 7)]}
        if nested:
            thing["owner"] = {"id": at % 13, "mail": f"u{at}@example.com", "at": "2026-11-20T05:00:00Z"}
        made.append(thing)
    return made


def changed(items: list[dict[str, Any]], share: float, seed: int = 1) -> list[dict[str, Any]]:
    """A shuffled copy of which a share has another name."""
    source = random.Random(seed)
    made = [{**item, "name": f"other {at}"} if source.random() < share else item for at, item in enumerate(items)]
    source.shuffle(made)
    return made


def bushy(depth: int, leaf: Any, width: int = 2) -> Any:
    """`width` lists in each list, down to `depth`."""
    value = leaf
    for _ in range(depth):
        value = [value] * (width - 1) + [[value, 1]]
    return value


def _lists(name: str) -> dict[str, Callable[[int], Pair]]:
    rules = LIST_RULES[name]
    return {
        f"bits random, {name}": lambda n: documents(bits(n, 1), bits(n, 2), *rules),
        f"bits shifted, {name}": lambda n: documents([at % 2 for at in range(n)], [1 - at % 2 for at in range(n)], *rules),
        f"bits longer, {name}": lambda n: documents(bits(n, 1), bits(n + 7, 2), *rules),
        f"bits zeros, {name}": lambda n: documents([0] * n, bits(n + 7, 2), *rules),
        f"ints disjoint, {name}": lambda n: documents(list(range(n)), list(range(n, 2 * n)), *rules),
        f"ints reversed, {name}": lambda n: documents(list(range(n)), list(range(n))[::-1], *rules),
        f"ints shuffled, {name}": lambda n: documents(list(range(n)), shuffled(list(range(n))), *rules),
        f"words disjoint, {name}": lambda n: documents(
            [f"a{at}" for at in range(n)], [f"b{at}" for at in range(n + 1)], *rules
        ),
        f"moments reversed, {name}": lambda n: documents(_moments(n), _moments(n)[::-1], *rules),
    }


def _moments(size: int) -> list[str]:
    return [f"2026-11-20T{at % 24:02}:{at % 60:02}:{at % 59:02}.{at:06}Z" for at in range(size)]


def _objects(name: str) -> dict[str, Callable[[int], Pair]]:
    rules = LIST_RULES[name]
    return {
        f"objects reordered, {name}": lambda n: documents(things(n), shuffled(things(n)), *rules),
        f"objects 20 % changed, {name}": lambda n: documents(things(n), changed(things(n), 0.2), *rules),
        f"objects all changed, {name}": lambda n: documents(things(n), changed(things(n), 1.0), *rules),
        f"objects one more, {name}": lambda n: documents(things(n), [{"id": -1}, *things(n)], *rules),
        f"keyless 20 % changed, {name}": lambda n: documents(things(n, key="n"), changed(things(n, key="n"), 0.2), *rules),
        f"keyless one more, {name}": lambda n: documents(things(n, key="n"), [{"n": -1}, *things(n, key="n")], *rules),
    }


def _scaled(
    make: Callable[[int], dict[str, Callable[[int], Pair]]] | Callable[[str], dict[str, Callable[[int], Pair]]], size: int
) -> dict[str, tuple[Callable[[int], Pair], int]]:
    return {name: (build, size) for rules in LIST_RULES for name, build in make(rules).items()}  # type: ignore[arg-type]


def _nested_lists(count: int, *rules: dict[str, Any]) -> Pair:
    one = [[at, at + 1, [at, "x"]] for at in range(count)]
    return documents(one, shuffled([shuffled(item, at) for at, item in enumerate(one)]), *rules)


def _tree(levels: int, seed: int) -> Any:
    return [shuffled([_tree(levels - 1, seed + at) for at in range(2)], seed), seed % 3] if levels else seed % 5


def _ladder(levels: int, seed: int) -> bytes:
    """Each list holds something and the next list."""
    source = random.Random(seed)
    rungs = [source.choice((b"1", b"[2,1]", b'"a"', b"1.0", b'"2024-01-15T10:30:00Z"')) for _ in range(levels)]
    return b"".join(b"[" + rung + b"," for rung in rungs) + b"0" + b"]" * levels


def _family(levels: int, width: int, name: str, more: int = 0) -> list[dict[str, Any]]:
    """Objects with ids whose members are lists of such objects; the order depends on the name."""
    if not levels:
        return []
    found = [{"id": at, "name": name, "of": _family(levels - 1, width, name, more)} for at in range(width + more)]
    return found[::-1] if name == "b" else found


CASES: dict[str, Sized] = {
    **_scaled(_lists, 16_000),
    **_scaled(_objects, 3_000),
    **{f"{name} at 10^5": (build, 100_000) for name, build in {**_lists("plain"), **_lists("unordered")}.items()},
    "one list of nested unordered lists": (lambda n: _nested_lists(n, UNORDERED, rule("$[*]", "unordered")), 3_000),
    "one list of lists, everything unordered": (lambda n: _nested_lists(n, UNORDERED, DEEP_UNORDERED), 3_000),
    "one list of lists, $..* unordered alone": (lambda n: _nested_lists(n, DEEP_UNORDERED), 3_000),
    "binary tree, $..* unordered, same": (lambda n: documents(_tree(n, 1), _tree(n, 1)[::-1], UNORDERED, DEEP_UNORDERED), 10),
    "binary tree, $..* unordered": (lambda n: documents(_tree(n, 1), _tree(n, 2), UNORDERED, DEEP_UNORDERED), 10),
    "binary tree, no rules": (lambda n: documents(_tree(n, 1), _tree(n, 2)), 10),
    "binary tree, keyed and unordered": (
        lambda n: documents(_tree(n, 1), _tree(n, 2), UNORDERED, DEEP_UNORDERED, rule("$..*", "keyed", by="id")),
        10,
    ),
    "narrow tree": (lambda n: documents(bushy(n, 1), bushy(n, 2)), 14),
    "narrow tree, $..* unordered": (lambda n: documents(bushy(n, 1), bushy(n, 2), UNORDERED, DEEP_UNORDERED), 14),
    **{
        f"{n_rules} at depth {opening}": (
            lambda n, opening=opening, rules=rules: Pair(raw(nested(n, "1", opening)), raw(nested(n, "2", opening)), rules),
            195,
        )
        for opening in ("[", '{"a":')
        for n_rules, rules in {
            "no rules": (),
            "$..* unordered": (UNORDERED, DEEP_UNORDERED),
            "$..* keyed": (KEYED, rule("$..*", "keyed", by="a")),
            "$..a and $..*..a": (
                rule("$..a", "normalise", **{"as": "strip"}),
                rule("$..*..a", "ignore", scope={"status": "404"}),
            ),
            "$..*..*..* unordered": (rule("$..*..*..*", "unordered"),),
        }.items()
    },
    "two lists at each of 190 levels, unordered": (
        lambda n: Pair(raw(b"[1,2," * n + b"1" + b"]" * n), raw(b"[2,1," * n + b"2" + b"]" * n), (UNORDERED, DEEP_UNORDERED)),
        190,
    ),
    "two lists at each of 190 levels, unordered, lengths differ": (
        lambda n: Pair(
            raw(b"[[1,2]," * n + b"1" + b"]" * n), raw(b"[[2,1],0," * n + b"2" + b"]" * n), (UNORDERED, DEEP_UNORDERED)
        ),
        190,
    ),
    "lengths differ at each of 190 levels": (
        lambda n: Pair(raw(b"[1," * n + b"1" + b"]" * n), raw(b"[1,1," * n + b"2" + b"]" * n)),
        190,
    ),
    "tails differ at each of 190 levels": (
        lambda n: Pair(raw(b"[" * n + b"1" + b",1]" * n), raw(b"[" * n + b"2" + b",1,1]" * n)),
        190,
    ),
    "two equal-looking tails at each of 60 levels": (
        lambda n: Pair(raw(b"[[0]," * n + b"1" + b"]" * n), raw(b"[[0],[0]," * n + b"2" + b"]" * n)),
        60,
    ),
    "moments at each of 190 levels, lengths differ": (
        lambda n: Pair(
            raw(b'["2026-11-20T05:00:00Z",' * n + b"1" + b"]" * n),
            raw(b'["2026-11-20T05:00:00+00:00",' * n + b"1,2" + b"]" * n),
        ),
        190,
    ),
    "all presets on 3,000 objects": (
        lambda n: Pair(
            spelled(things(n)),
            spelled(changed(things(n), 1.0)),
            (),
            ("datetime-instant", "datetime-ms", "decimal-string-number", "duration", "error-text", "drf-fastapi-errors"),
        ),
        3_000,
    ),
    "400 rules on 3,000 objects": (
        lambda n: documents(
            things(n), changed(things(n), 0.5), *(rule(f"$[*].f{at}", "normalise", **{"as": "strip"}) for at in range(400))
        ),
        3_000,
    ),
    "400 descending rules on 3,000 objects": (
        lambda n: documents(
            things(n), changed(things(n), 0.5), *(rule(f"$..name..f{at}", "normalise", **{"as": "strip"}) for at in range(400))
        ),
        3_000,
    ),
    "40 unordered rules on one list": (
        lambda n: documents(
            bits(n, 1),
            bits(n, 2),
            *(rule("$", "unordered", scope={"status": f"20{at}"}) if at else UNORDERED for at in range(10)),
            *(rule("$", "keyed", by=f"k{at}") for at in range(30)),
        ),
        16_000,
    ),
    "64 leftovers under many rules": (
        lambda n: documents(
            [{"a": [{"b": [at, k]} for k in range(20)]} for at in range(n)],
            [{"a": [{"b": [at + 1_000, k]} for k in range(20)]} for at in range(n)],
            UNORDERED,
            DEEP_UNORDERED,
        ),
        64,
    ),
    "64 leftovers in 64 leftovers": (
        lambda n: documents(
            [[[i * n + j, "a"] for j in range(n)] for i in range(n)],
            [[[-i * n - j, "b"] for j in range(n)] for i in range(n)],
            UNORDERED,
            DEEP_UNORDERED,
        ),
        64,
    ),
    "lists in each other, keyed by a filter everywhere": (
        lambda n: Pair(raw(_ladder(n, 1)), raw(_ladder(n, 2)), (rule("$..[?count(@.*)>1]", "keyed", by="id"),)),
        60,
    ),
    "lists in each other, all without order by a filter": (
        lambda n: Pair(raw(_ladder(n, 1)), raw(_ladder(n, 2)), (UNORDERED, rule("$..[?count(@.*)>1]", "unordered"))),
        60,
    ),
    "lists in each other, correlate and unordered": (
        lambda n: Pair(
            raw(_ladder(n, 1)), raw(_ladder(n, 2)), (UNORDERED, DEEP_UNORDERED, rule("$..*", "correlate", name="x"))
        ),
        60,
    ),
    "keyed lists in each other": (
        lambda n: documents(_family(n, 3, "a"), _family(n, 3, "b"), KEYED, rule("$..*", "keyed", by="id")),
        8,
    ),
    "usual keys in each other, lengths differ": (lambda n: documents(_family(n, 3, "a"), _family(n, 3, "b", 1)), 8),
    "ids that correspond": (
        lambda n: documents(list(range(n)), list(range(1, n + 1)), rule("$[*]", "correlate", name="x")),
        100_000,
    ),
    "ids that correspond, without order": (
        lambda n: documents(list(range(n)), list(range(n, 0, -1)), UNORDERED, rule("$[*]", "correlate", name="x")),
        16_000,
    ),
    "an ignored list with exact elements": (
        lambda n: documents({"a": list(range(n))}, {"a": list(range(1, n))}, rule("$.a", "ignore"), rule("$.a[3]", "exact")),
        100_000,
    ),
    "many kinds under rules that overlap": (
        lambda n: documents(
            [f"{at}a" for at in range(n)],
            [f"{at} b" for at in range(n)],
            UNORDERED,
            *(rule("$[*]", "regex", pattern=f"[0-9]*{digit}[0-9]* ?[ab]") for digit in range(10)),
            rule("$[*]", "normalise", **{"as": "strip"}),
        ),
        5_000,
    ),
    "few kinds under rules that overlap": (
        lambda n: documents(
            [("x", " z")[at % 2] for at in range(n)],
            [(" x", "y")[at % 2] for at in range(n)],
            UNORDERED,
            rule("$[*]", "regex", pattern="[a-z]"),
            rule("$[*]", "regex", pattern=" [a-z]"),
            rule("$[*]", "normalise", **{"as": "strip"}),
        ),
        16_000,
    ),
    "long texts under patterns": (
        lambda n: documents(
            ["ab" * 4_900 + str(at) for at in range(n)],
            ["ba" * 4_900 + str(at) for at in range(n)],
            rule("$[*]", "regex", pattern="(a|b|ab)*[0-9]*"),
            rule("$[*]", "regex", pattern="(.*)(.*)(.*)(.*)x"),
        ),
        300,
    ),
}
