"""The comparable scalar fields of a JSON answer, by generalised path; bounded, for relations between fields."""

from __future__ import annotations

import orjson

MAX_FIELDS = 40
MAX_ELEMENTS = 20
MAX_BODY = 256 * 1024

Scalar = int | str | float
Row = dict[str, Scalar]


def field_rows(body: bytes) -> list[Row]:
    """Rows of scalar fields that belong together: the document itself, and each element of its lists of objects.

    Paths are generalised: `$.id`, `$.author.id`, `$[*].id`, `$.items[*].id`. Booleans and nulls say nothing and are left out.
    A body that is too large or no JSON has no rows.
    """
    if not body or len(body) > MAX_BODY:
        return []
    try:
        document = orjson.loads(body)
    except ValueError:
        return []
    rows: list[Row] = []
    if isinstance(document, dict):
        row: Row = {}
        _take(row, "$", document, nested=True)
        if row:
            rows.append(row)
        for name, value in list(document.items())[:MAX_FIELDS]:
            if isinstance(value, list):
                rows.extend(_elements(f"$.{name}[*]", value))
    elif isinstance(document, list):
        rows.extend(_elements("$[*]", document))
    return rows


def _elements(path: str, values: list[object]) -> list[Row]:
    rows = []
    for value in values[:MAX_ELEMENTS]:
        if isinstance(value, dict):
            row: Row = {}
            _take(row, path, value, nested=True)
            if row:
                rows.append(row)
    return rows


def _take(row: Row, path: str, node: dict[str, object], nested: bool) -> None:
    for name, value in node.items():
        if len(row) >= MAX_FIELDS:
            return
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int | str | float):
            row[f"{path}.{name}"] = value
        elif nested and isinstance(value, dict):
            _take(row, f"{path}.{name}", value, nested=False)
