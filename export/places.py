"""Places in a JSON document: from the text of a path to the list that the generated comparison reads."""

from __future__ import annotations

import json
import re
from typing import Any

Pattern = list[Any]
_STEP = re.compile(
    r"""(?P<deep>\.\.(?=[^.]))|(?P<any>\.?\*|\[\*\])|\[(?P<index>\d{1,9})\]|\[(?P<double>"(?:[^"\\]|\\.)*")\]"""
    r"""|\['(?P<single>(?:[^'\\]|\\.)*)'\]|\.?(?P<name>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)""",
    re.DOTALL,
)


def parse_place(text: str) -> Pattern | None:
    """`$.results[*].price` as `["results", None, "price"]`, `..` as `[]`; None for what is no such path (a filter, a slice, a tag)."""
    if not text.startswith("$"):
        return None
    pattern: Pattern = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return None
        at = step.end()
        try:
            pattern.append(_step(step))
        except ValueError:
            return None
    return pattern


def _step(step: re.Match[str]) -> Any:
    if step["deep"]:
        return []
    if step["any"]:
        return None
    if step["index"]:
        return int(step["index"])
    if step["double"] is not None:
        return json.loads(step["double"], strict=False)
    if step["single"] is not None:
        return re.sub(r"\\(.)", r"\1", step["single"], flags=re.DOTALL)
    return step["name"]


def generalised(place: tuple[Any, ...]) -> Pattern:
    """The place with its indices forgotten."""
    return [None if isinstance(step, int) else step for step in place]
