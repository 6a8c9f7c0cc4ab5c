"""Bodies for the differ's benchmark: list answers as APIs send them, and pairs of them by what differs.

One object is about 570 bytes of compact JSON on five levels: strings, decimals, datetimes, links, a nested owner, tags, flags.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import orjson

SIZES = {"1 KiB": 2, "20 KiB": 35, "200 KiB": 356, "2 MiB": 3_651}
"""Objects for each size of body."""
PRIMARY, CANDIDATE = "http://django.internal:8000", "http://fastapi.internal:8001"
RULES: tuple[dict[str, Any], ...] = (
    {"path": "$.results[*].updated_at", "action": "ignore"},
    {"path": "$.results[*].price", "action": "normalise", "as": "decimal"},
    {"path": "$..url", "action": "normalise", "as": "url"},
    {"path": "$.next", "action": "normalise", "as": "url"},
)
Pair = tuple[bytes, bytes]


def answer(objects: int, seed: int = 1) -> dict[str, Any]:
    """One page of a list endpoint."""
    rng = random.Random(seed)
    return {
        "count": objects * 10,
        "next": f"{PRIMARY}/api/items/?page=2&page_size={objects}",
        "previous": None,
        "results": [_item(rng, number) for number in range(objects)],
    }


def _item(rng: random.Random, number: int) -> dict[str, Any]:
    day = rng.randrange(1, 28)
    return {
        "id": number,
        "uid": f"{rng.getrandbits(128):032x}",
        "url": f"{PRIMARY}/api/items/{number}/",
        "name": f"product {rng.random():.12f}",
        "price": f"{rng.randrange(100, 99999) / 100:.2f}",
        "description": f"A thing of {rng.randrange(1, 900)} parts that people buy when they need one, {rng.random():.12f}",
        "weight": rng.randrange(1, 9_999) / 8,
        "active": rng.random() < 0.5,
        "tags": [f"tag-{rng.randrange(50)}" for _ in range(4)],
        "owner": {
            "id": rng.randrange(999),
            "name": f"owner {rng.random():.8f}",
            "address": {"city": rng.choice(["Berlin", "Paris", "Rome"]), "lines": ["1 Long Street", "2nd floor"]},
            "staff": rng.random() < 0.2,
        },
        "stock": {"north": rng.randrange(99), "south": rng.randrange(99), "note": None},
        "created_at": f"2026-01-{day:02d}T10:00:00.123456Z",
        "updated_at": f"2026-02-{day:02d}T11:30:00Z",
    }


def _changed(objects: int, change: Callable[[dict[str, Any]], object]) -> Pair:
    one = answer(objects)
    other = copy.deepcopy(one)
    change(other)
    return orjson.dumps(one), orjson.dumps(other)


def identical(objects: int) -> Pair:
    """The same bytes."""
    return _changed(objects, lambda document: None)


def key_order(objects: int) -> Pair:
    """The same values, keys in another order, and the spaces that Django's JsonResponse writes."""
    one = answer(objects)
    turned = {key: one[key] for key in reversed(one)} | {
        "results": [{key: item[key] for key in reversed(item)} for item in one["results"]]
    }
    return json.dumps(turned).encode(), orjson.dumps(one)


def spelled(objects: int) -> Pair:
    """Every object needs normalisers: `Z` and `+00:00`, decimals as text and number, the backend's own address."""

    def respell(document: dict[str, Any]) -> None:
        document["next"] = document["next"].replace(PRIMARY, CANDIDATE)
        for item in document["results"]:
            item["url"] = item["url"].replace(PRIMARY, CANDIDATE)
            item["price"] = float(item["price"])
            for name in ("created_at", "updated_at"):
                item[name] = item[name].replace("Z", "+00:00")

    return _changed(objects, respell)


def ignored(objects: int) -> Pair:
    """`updated_at` differs on every object."""

    def later(document: dict[str, Any]) -> None:
        for item in document["results"]:
            item["updated_at"] = item["updated_at"].replace("11:30", "11:31")

    return _changed(objects, later)


def one_leaf(objects: int) -> Pair:
    """One leaf in the middle differs."""
    return _changed(objects, lambda document: document["results"][objects // 2]["owner"].update(name="someone else"))


def ten_leaves(objects: int) -> Pair:
    """Ten leaves differ."""

    def change(document: dict[str, Any]) -> None:
        for item in document["results"][:: max(1, objects // 10)][:10]:
            item["stock"]["north"] += 1

    return _changed(objects, change)


def reordered(objects: int) -> Pair:
    """The list in another order."""
    return _changed(objects, lambda document: random.Random(2).shuffle(document["results"]))


def inserted(objects: int) -> Pair:
    """One object more at the head."""
    return _changed(objects, lambda document: document["results"].insert(0, _item(random.Random(3), 99_999)))


def unrelated(objects: int) -> Pair:
    """Other content altogether."""
    return orjson.dumps(answer(objects)), orjson.dumps(answer(objects, seed=9))


KINDS: dict[str, Callable[[int], Pair]] = {
    "identical": identical,
    "key order": key_order,
    "spelled": spelled,
    "ignored": ignored,
    "one leaf": one_leaf,
    "ten leaves": ten_leaves,
    "reordered": reordered,
    "inserted": inserted,
    "unrelated": unrelated,
}
MIX_SIZES = {"1 KiB": 50, "20 KiB": 35, "200 KiB": 14, "2 MiB": 1}
MIX_KINDS = {"identical": 60, "key order": 10, "spelled": 10, "ignored": 10, "one leaf": 10}
"""Shares of the traffic mix, in percent."""
