"""A decision as JSON text: one canonical form to sign, strict reading of what came over a wire or from a file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from gate.facts import Decision, State

MOST_BYTES = 65_536
_FIELDS = ("route", "seq", "state", "epoch", "weight_bp", "salt", "issued", "lease_until", "actor", "reason", "mac")
_TEXTS = ("route", "state", "epoch", "salt", "actor", "reason", "mac")
_NO_WEIGHT = frozenset({State.OFF, State.SHADOW, State.ROLLED_BACK})


def canonical(decision: Decision) -> bytes:
    """The bytes that are signed: every field but `mac`, sorted, no spaces, ASCII. Raises ValueError for NaN or infinity."""
    document = _document(decision)
    del document["mac"]
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def encode(decision: Decision) -> str:
    """JSON text, one line. Raises ValueError for NaN or infinity."""
    return json.dumps(_document(decision), sort_keys=True, separators=(",", ":"), allow_nan=False)


def decode(text: str | bytes) -> Decision:
    """The decision in a JSON text; whether it is signed is another question. Raises ValueError with one sentence."""
    if len(text) > MOST_BYTES:
        raise ValueError(f"a decision has at most {MOST_BYTES} bytes, this text has {len(text)}")
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("a decision is a flat JSON object, this one is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"a decision is a JSON object: {error}") from error
    if not isinstance(document, dict):
        raise ValueError("a decision is a JSON object")
    wrong = sorted(set(document) ^ set(_FIELDS))
    if wrong:
        name = wrong[0]
        raise ValueError(
            f"a decision has no field {name[:40]!r}" if name in document else f"the decision lacks the field {name!r}"
        )
    for name in _TEXTS:
        if not isinstance(document[name], str):
            raise ValueError(f"the decision's {name} must be text")
    return _decision(document)


def _decision(document: Mapping[str, Any]) -> Decision:
    try:
        state = State(document["state"])
    except ValueError as error:
        raise ValueError(f"the decision's state must be one of {', '.join(State)}") from error
    weight, seq = _whole(document, "weight_bp"), _whole(document, "seq")
    if weight > 10_000:
        raise ValueError("the decision's weight_bp must be from 0 to 10000")
    if (weight > 0 and state in _NO_WEIGHT) or (weight == 0 and state not in _NO_WEIGHT):
        raise ValueError(f"the decision contradicts itself: state {state} with weight_bp {weight}")
    lease = document["lease_until"]
    return Decision(
        route=document["route"],
        seq=seq,
        state=state,
        epoch=document["epoch"],
        weight_bp=weight,
        salt=document["salt"],
        issued=_seconds(document, "issued"),
        lease_until=None if lease is None else _seconds(document, "lease_until"),
        actor=document["actor"],
        reason=document["reason"],
        mac=document["mac"],
    )


def _document(decision: Decision) -> dict[str, object]:
    document: dict[str, object] = {name: getattr(decision, name) for name in _FIELDS}
    document["state"] = str(decision.state)
    # 5 and 5.0 are equal in Python but not in text: a decision must have one text only.
    document["issued"] = float(decision.issued)
    document["lease_until"] = None if decision.lease_until is None else float(decision.lease_until)
    return document


def _whole(document: Mapping[str, Any], name: str) -> int:
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"the decision's {name} must be a whole number of 0 or more")
    return value


def _seconds(document: Mapping[str, Any], name: str) -> float:
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15 or not math.isfinite(value):
        raise ValueError(f"the decision's {name} must be Unix seconds")
    return float(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a field is given twice")
    return document


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
