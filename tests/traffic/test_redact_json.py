"""JSON is redacted in place, in linear time, whatever the paths of the configuration are."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.jsonpath import locate, parse_path
from traffic.message import Request, Response
from traffic.redact import MOST_KEPT, TOO_LARGE, Redactor
from traffic.redact_paths import INDEX, SecretPaths, read_path

REDACTOR = Redactor([], ["$..password", "$..token", "$.user.pin"], b"k" * 32)
NAMES = ["password", "token", "pin", "user", "a", "access", "key", "n", "password_required"]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)
)
VALUES = st.one_of(
    SCALARS, st.sampled_from(["ann@example.org", "token=abcdef", "4111111111111111", '{"token": "abc"}', "a\u2028b"])
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


def test_every_byte_but_the_secret_stays() -> None:
    body = '{ "n" : 1.10, "e": 1e400,\n"é": "\\u00e9", "token":"S3CR3T" , "big": 12345678901234567890.5, "n": 2 }'
    kept = REDACTOR.body((), body.encode()).decode()
    assert kept == body.replace("S3CR3T", REDACTOR.token("S3CR3T"))


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.sampled_from([None, 2]))
def test_redaction_is_idempotent_and_keeps_the_document_otherwise(document: Any, indent: int | None) -> None:
    body = json.dumps(document, indent=indent).encode()
    kept = REDACTOR.body((), body)
    assert REDACTOR.body((), kept) == kept
    _same_shape(document, json.loads(kept))


def _same_shape(ours: Any, theirs: Any) -> None:
    """Containers that are no secret as a whole have the same members, and what is no text nor secret is equal."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        for name in ours:
            if name not in ("password", "token", "pin"):
                _same_shape(ours[name], theirs[name])
    elif isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            _same_shape(one, other)
    elif isinstance(ours, bool) or ours is None:
        assert ours is theirs


@pytest.mark.parametrize(
    ("secret", "kind"), [("123456789012345678", int), ("4111111111111111", int), ("1234", str), ("12.5", str), ("true", str)]
)
def test_number_stays_a_number_where_there_is_room(secret: str, kind: type) -> None:
    kept = json.loads(REDACTOR.body((), f'{{"token": {secret}}}'.encode()))["token"]
    assert isinstance(kept, kind)
    assert str(kept) == REDACTOR.token(secret)


def test_equal_containers_have_equal_tokens_however_they_are_spelt() -> None:
    first = json.loads(REDACTOR.body((), b'{"token": {"a": 1, "b": [2]}}'))
    second = json.loads(REDACTOR.body((), b'{"token":{"b":[2],"a":1}}'))
    assert first == second
    assert first != json.loads(REDACTOR.body((), b'{"token": {"a": 1, "b": [3]}}'))


@pytest.mark.parametrize(
    "path",
    [
        "$.a", "$['a']", '$["a"].b', "$.a[*].b", "$..b", "$..b.c", "$..*", "$.*.b", "$..['b','c']", "$..[*].b", "$[*]", "$..a..b",
        "$ .a ['b']", "$['it\\'s']", '$["a\\u0062"]', "$..b..*", "$..*..*",
    ],
)  # fmt: skip
def test_paths_select_what_rfc_9535_says(path: str) -> None:
    documents: list[Any] = [
        {"a": {"b": {"c": 1, "b": 2}, "c": [3]}, "b": [{"b": 4}, {"c": {"b": 5}}], "it's": 6, "ab": 7},
        [{"a": [{"b": 8}]}, {"b": {"b": {"b": 9}}}, [[{"c": 10}]]],
    ]
    paths = SecretPaths([read_path(path)])
    for document in documents:
        expected = {
            tuple(INDEX if isinstance(step, int) else step for step in place)
            for place in locate(parse_path(path), document, lambda _: None)
        }
        assert {tuple(steps) for steps in _places(document) if _selects(paths, steps)} == expected - {()}


def _places(node: Any, above: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    below = node.items() if isinstance(node, dict) else ((INDEX, one) for one in node) if isinstance(node, list) else ()
    return [place for step, value in below for place in [(*above, step), *_places(value, (*above, step))]]


def _selects(paths: SecretPaths, steps: tuple[str | int, ...]) -> bool:
    state, hit = paths.start, False
    for step in steps:
        state, hit = paths.move(state, step)
    return hit


@pytest.mark.parametrize(
    "path", ["$.a[3].pin", "$.a[-1].pin", "$.a[0:2].pin", "$.a[?@.kind == 'x,]'].pin", "$.a[?count(@['b'])>1, 7].pin"]
)
def test_an_index_a_slice_and_a_filter_count_as_any_element(path: str) -> None:
    redactor = Redactor([], [path], b"k" * 32)
    assert b"S3CR3T" not in redactor.body((), b'{"a": [{"pin": "S3CR3T"}, {"pin": "S3CR3T"}]}')
    assert redactor.is_secret_at(("a", 5, "pin"), "x")
    assert not redactor.is_secret_at(("b", 5, "pin"), "x")


HOSTILE = [
    b'{"a":' * 900 + b"1" + b"}" * 900,
    b"[" * 900 + b"1" + b"]" * 900,
    json.dumps([{f"name{n}": n for n in range(20_000)}]).encode(),
    json.dumps({"a": [{"b": {"c": n}} for n in range(20_000)]}).encode(),
    json.dumps(["token" * 10] * 8_000).encode(),
    json.dumps(["@" * 100] * 4_000).encode(),
    json.dumps(["4111 " * 40] * 2_000).encode(),
    json.dumps(['\\\\\\\\"' * 10] * 8_000).encode(),
    json.dumps(["a.b" * 30 + "@"] * 4_000).encode(),
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_paths_and_bodies_cost_linear_time(body: bytes) -> None:
    redactor = Redactor([], ["$..*..*..*..*..x", "$..a..b..c..d", "$..[?@.a]..[?@.b]..z", "$.a.b.c"], b"k" * 32)
    begun = time.process_time()
    redactor.body((), body)
    assert time.process_time() - begun < 4


def test_cut_body_keeps_its_beginning_without_the_piece_at_its_end() -> None:
    body = b'{"token": "S3CR3T", "a": [1, 2, {"password": "S3CR3T-long'
    kept = REDACTOR.body((), body, cut=True)
    assert kept.decode() == f'{{"token": "{REDACTOR.token("S3CR3T")}", "a": [1, 2, {{"password": '


@pytest.mark.parametrize(
    ("kind", "row", "last"),
    [
        (b"application/json", b'{"a": 1, "token": "S3CR3T"},', b'{"token": "S3CR3T'),
        (b"text/html", b"<p>x</p><input name=password value=S3CR3T>", b"<p>4111 1111 1111"),
        (b"text/plain", b"order 1234, ", b"4111111111111"),
        (b"application/x-www-form-urlencoded", b"a=1&password=S3CR3T&", b"password=S3CR3T"),
    ],
)
def test_large_answer_is_cut_and_says_so_and_no_beginning_of_a_secret_is_kept(kind: bytes, row: bytes, last: bytes) -> None:
    opened = b"[" if kind.endswith(b"json") else b""
    rows = (MOST_KEPT - len(opened) - len(last)) // len(row)
    start = opened + row * rows
    body = start.ljust(MOST_KEPT - len(last), b" ") + last + b"1111 and more" * 1_000
    kept = REDACTOR.response(Response(200, ((b"Content-Type", kind),), body))
    assert kept.truncated
    assert len(kept.body) > MOST_KEPT // 2
    assert b"S3CR3T" not in kept.body
    assert b"4111" not in kept.body
    assert REDACTOR.request(Request("POST", b"/", ((b"Content-Type", kind),), body)).body == TOO_LARGE
