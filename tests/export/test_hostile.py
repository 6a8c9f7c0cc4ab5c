"""Hostile payloads stay data: constants in the source, names inside the folder, nothing run."""

from __future__ import annotations

import ast
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.generated.parity_compare import differences
from export.names import LONGEST, safe_name
from export.pytest_files import export_pytest
from rules.load import EMPTY

TODAY = date(2026, 11, 21)
HOSTILE = [
    b"'; import os; os.system('touch owned') #",
    b'"""\nimport os\n"""',
    b"'''+str(1)+'''",
    b"\\",
    b"\\\"\\'",
    b"\0\r\n\x1b[31m",
    "\u202e\u2066\u2028 bidi".encode(),
    b"../../../../etc/passwd",
    b"%2e%2e/%2e%2e/",
    b"{{7*7}} ${HOME} $(id) `id` %(x)s {0.__class__}",
    b"\xff\xfe\x80",
    b"a" * 5000,
]
ALLOWED = (ast.Module, ast.Expr, ast.Constant, ast.ImportFrom, ast.Import, ast.alias, ast.Assign, ast.Name, ast.Store, ast.Load)
ALLOWED += (ast.BinOp, ast.Div, ast.Attribute, ast.Call, ast.FunctionDef, ast.arguments, ast.keyword)
NAMES = {"CASES", "Path", "__file__", "check", "pytest"}


def assert_inert(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        parts = name.split("/")
        assert all(part and set(part) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.READM") for part in parts), name
        assert ".." not in name
        assert len(parts) <= 3
        if parts[-1].startswith("test_"):
            assert content.isascii()
            for node in ast.walk(ast.parse(content)):
                assert isinstance(node, ALLOWED), ast.dump(node)
                if isinstance(node, ast.Name):
                    assert node.id in NAMES
            assert all(32 <= byte < 127 or byte == 10 for byte in content)


@pytest.mark.parametrize("payload", HOSTILE)
def test_a_payload_in_every_place_is_only_a_constant(make: Any, payload: bytes) -> None:
    text = payload.decode("latin-1")
    files = export_pytest(
        [
            make.example(
                make.answer(json.dumps({text: 1, "v": text}).encode()),
                make.answer(json.dumps({text: 2, "v": text}).encode()),
                "$[" + json.dumps(text) + "]",
                ("header", text),
                ("cookie", text),
                route="GET /" + text,
                target=b"/" + payload,
                headers=((b"X-" + payload, payload), (b"X-Value", payload), (b"Cookie", b"a=" + payload)),
                body=payload,
                id=text,
                tolerated=(text,),
            )
        ],
        EMPTY,
        TODAY,
    )

    assert_inert(files)
    for name, content in files.items():
        if name.endswith((".case.json", ".md")):
            assert content.isascii()
        if not name.endswith(".b64"):
            shown = content.decode("utf-8")
            assert not any(char in shown for char in "\0\x1b\r\u202e\u2066\u2028")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=40),
    st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.floats() | st.text(max_size=8), st.lists), max_size=4),
    st.text(max_size=20),
)
def test_any_example_gives_inert_files_whose_case_holds_for_the_primary(
    make: Any, target: bytes, document: dict[str, Any], route: str
) -> None:
    body = json.dumps(document).encode()

    files = export_pytest(
        [make.example(make.answer(body), make.answer(b'{"other": []}'), "$", route="GET " + route, target=target)], EMPTY, TODAY
    )

    assert_inert(files)
    for name, content in files.items():
        if name.endswith(".case.json"):
            case = json.loads(content)
            expected = files[name.rpartition("/")[0] + "/" + case["expected"]["body"]]
            if not case["expected"]["body"].endswith(".b64"):
                assert differences(case, expected, 200, [("content-type", "application/json")], body) == []


@given(st.text(max_size=200))
def test_names_are_plain_and_bounded(text: str) -> None:
    name = safe_name(text, "0123abcd")

    assert len(name) <= LONGEST
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_an_illegal_header_is_never_sent_again(make: Any) -> None:
    files = export_pytest(
        [
            make.example(
                make.answer(),
                make.answer(b"[]"),
                "$",
                headers=((b"X-A\r\nX-B", b"1"), (b"X-C", b"1\r\nX-D: 2"), (b"X-Good", b"1")),
            )
        ],
        EMPTY,
        TODAY,
    )

    case = json.loads(next(content for name, content in files.items() if name.endswith(".case.json")))
    assert case["request"]["headers"] == [["X-Good", "1"]]
