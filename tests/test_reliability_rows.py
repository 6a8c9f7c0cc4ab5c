"""Every threat, breakage and fault that the live path, the mirror and the store have to bear has a test that names it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROWS = [
    *(f"B{n}" for n in range(1, 16)),  # what stock mitmproxy breaks
    *(f"T{n}" for n in (*range(1, 9), *range(17, 25))),  # threats
    *(f"F-{n}" for n in range(1, 30)),  # faults
    "R-TRA-1",
    "R-TRA-2",
    "R-SEC-1",
    "R-SEC-2",
    "R-MIR-1",
    "R-MIR-2",
    "R-MIR-3",
]
_NAMED = re.compile(r"\[([A-Z](?:-?[A-Z]+)*-?\d+)\]")


def named_rows() -> set[str]:
    found: set[str] = set()
    for path in Path(__file__).parent.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.update(_NAMED.findall(ast.get_docstring(node) or ""))
    return found


NAMED = named_rows()


@pytest.mark.parametrize("row", ROWS)
def test_the_row_is_named_by_a_test(row: str) -> None:
    assert row in NAMED
