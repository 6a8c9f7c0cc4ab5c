"""Nothing secret leaves memory: not in a difference's texts, not in an example."""

from __future__ import annotations

import pytest

from differ.facts import Atom, Difference
from shadow.redaction import DifferenceRedactor, redacted_answer, steps_of
from store.records import Finding
from traffic.message import Failure, Response
from traffic.redact import MARK, MOST_KEPT, Redactor

REDACTOR = Redactor(["set-cookie", "x-api-key", "cookie"], ["$..token", "$.user.ssn", "$.items[*].pin"], b"k" * 32)
KEPT = DifferenceRedactor(REDACTOR)


def texts(aspect: str, location: str, primary: str | None, candidate: str | None) -> tuple[str | None, str | None]:
    kept = KEPT.text(Difference(Atom("GET /a", "200/200", aspect, location, "value"), primary, candidate, location))
    return kept.primary, kept.candidate


@pytest.mark.parametrize(
    ("aspect", "location"),
    [
        ("body", "$.token"),
        ("body", '$["auth"].token'),
        ("body", "$.items[3].token"),
        ("body", "$.token.inner[0]"),
        ("body", "$.user.ssn"),
        ("body", "$.items[7].pin"),
        ("header", "x-api-key"),
        ("header", "set-cookie"),
        ("cookie", "sessionid"),
    ],
)
def test_secret_place_gets_tokens(aspect: str, location: str) -> None:
    primary, candidate = texts(aspect, location, "hunter2", "hunter3")
    assert primary is not None
    assert candidate is not None
    assert primary.startswith(MARK)
    assert candidate.startswith(MARK)
    assert primary != candidate


def test_equal_secrets_stay_equal_and_absent_stays_absent() -> None:
    primary, candidate = texts("body", "$.token", "same", "same")
    assert primary == candidate
    assert texts("body", "$.token", None, "x")[0] is None


@pytest.mark.parametrize("location", ["$.name", "$.users[0].name", "$.ssn", "$.pin", "$"])
def test_other_place_keeps_its_text(location: str) -> None:
    assert texts("body", location, "Ann", "Bob") == ("Ann", "Bob")


def test_object_that_holds_a_secret_is_redacted_inside() -> None:
    primary, _ = texts("body", "$.user", '{"name": "Ann", "ssn": "123-45", "token": "hunter2"}', None)
    assert primary is not None
    assert "Ann" in primary
    assert "hunter2" not in primary
    assert "123-45" not in primary


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ann", "token": "hunter2", "much": "mo',
        '{"\\u0074oken": "hunter2',
        '[{"token":"hunter2"',
        "a=1&token=hunter2&b",
    ],
)
def test_cut_text_that_names_a_secret_is_withheld(text: str) -> None:
    primary, _ = texts("body", "$", text, None)
    assert primary is not None
    assert "hunter2" not in primary


def test_location_header_keeps_its_path() -> None:
    assert texts("header", "location", "/next?token=hunter2&a=1", "/next")[1] == "/next"
    assert "hunter2" not in (texts("header", "location", "/next?token=hunter2&a=1", "/next")[0] or "")


def test_answer_is_kept_with_its_decoded_body_redacted() -> None:
    answer = Response(200, ((b"Set-Cookie", b"s=hunter2"), (b"content-type", b"application/json")), b"\x1f\x8bcoded")
    kept = redacted_answer(REDACTOR, answer, b'{"token": "hunter2", "a": 1}')
    assert isinstance(kept, Response)
    assert b"hunter2" not in kept.body + b"".join(value for _, value in kept.headers)
    assert b'"a": 1' in kept.body


def test_body_that_could_not_be_decoded_is_not_kept() -> None:
    kept = redacted_answer(REDACTOR, Response(200, (), b"coded hunter2"), None)
    assert isinstance(kept, Response)
    assert (kept.body, kept.truncated) == (b"", True)


def test_failure_is_kept_as_it_is() -> None:
    assert redacted_answer(REDACTOR, Failure("timeout"), None) == Failure("timeout")


def test_location_is_read_into_names_and_indices() -> None:
    assert steps_of('$.a["b c"][4].d') == ("a", "b c", 0, "d")


HTML_TEXTS = [
    ("start", "<input name='password' value='hunter2'>"),
    ("start", "<input type='hidden' name='csrfmiddlewaretoken' value='hunter2'>"),
    ("start", "<meta content='hunter2' name='csrf-token'>"),
    ("start", "<meta content='hunter2" + "x" * 50),
    ("start", "<input name='password' value='a\\'b\"hunter2'>"),
    ("start", "<div data-token='hunter2'>"),
    ("text", 'window.cfg={"token":"hunter2"}'),
    ("text", "const apiKey = 'hunter2"),
]


@pytest.mark.parametrize(("kind", "text"), HTML_TEXTS)
def test_html_difference_keeps_no_secret_in_text_or_location(kind: str, text: str) -> None:
    atom = Atom("GET /a", "200/200", "body", "html:html/body", "value", kind)
    kept = KEPT.text(Difference(atom, text, "other", f"html:{text if kind == 'text' else 'input'}"))
    assert "hunter2" not in f"{kept.primary}{kept.location}"
    assert (kept.candidate, kept.location) == ("other", "html:html/body")


def test_text_of_a_secret_element_is_redacted() -> None:
    kept = KEPT.text(
        Difference(Atom("GET /a", "200/200", "body", "html:doc/token", "value", "text"), "hunter2", "x", "html:hunter2")
    )
    assert "hunter2" not in f"{kept.primary}{kept.location}"


@pytest.mark.parametrize(("kind", "text"), [("text", "Forgot your password?"), ("start", "<input name='q' value='v'>")])
def test_html_difference_without_a_secret_stays(kind: str, text: str) -> None:
    atom = Atom("GET /a", "200/200", "body", "html:html/body", "value", kind)
    kept = KEPT.text(Difference(atom, text, "other", f"html:{text}"))
    assert (kept.primary, kept.location) == (text, f"html:{text}")


def test_count_of_tokens_is_no_secret() -> None:
    atom = Atom("GET /a", "200/200", "body", "$.total_tokens", "value", "number>number")
    kept = KEPT.text(Difference(atom, "51234", "6", "$.total_tokens"))
    assert (kept.primary, kept.candidate) == ("51234", "6")


def test_redirect_keeps_no_userinfo_and_no_token_in_its_fragment() -> None:
    kept, _ = texts("header", "location", "https://u:hunter2@h/#access_token=hunter2", None)
    assert kept is not None
    assert "hunter2" not in kept


def test_difference_at_a_hostile_depth_is_told_from_others() -> None:
    deep = DifferenceRedactor(Redactor([], ["$..card.number"], b"k" * 32))
    place = "$" + ".a" * 150 + ".card.number"
    kept = deep.text(Difference(Atom("GET /a", "200/200", "body", place, "value"), "hunter2", None, place))
    assert kept.primary is not None
    assert kept.primary.startswith(MARK)


def test_name_in_a_path_that_is_data_is_a_token_in_atom_location_and_finding() -> None:
    place = '$.by["ann@example.org"].n'
    atom = Atom("GET /a", "200/200", "body", place, "value")
    kept = KEPT.text(Difference(atom, "1", "2", place))
    token = REDACTOR.token("ann@example.org")
    assert (kept.atom.path, kept.location) == (f'$.by["{token}"].n',) * 2
    finding = KEPT.finding(Finding(atom, 1.0, 1, "for ann@example.org", "e"))
    assert (finding.atom, finding.detail) == (kept.atom, f"for {token}")
    assert KEPT.path('$.by["ann@example.org"]') == f'$.by["{token}"]'


@pytest.mark.parametrize("location", ["$.cards[3].cvc", "$.cards[0].cvc"])
def test_a_path_with_a_filter_or_an_index_counts_in_every_element(location: str) -> None:
    for path in ("$.cards[?@.kind == 'x'].cvc", "$.cards[0].cvc"):
        redacted = DifferenceRedactor(Redactor([], [path], b"k" * 32))
        kept = redacted.text(Difference(Atom("GET /a", "200/200", "body", "$.cards[*].cvc", "value"), "123", None, location))
        assert kept.primary is not None
        assert kept.primary.startswith(MARK)


def test_value_keeps_its_format_in_a_difference() -> None:
    primary, candidate = texts("body", "$.note", "pay with 4111 1111 1111 1111", "pay with 5555 5555 5555 4444")
    assert primary == f"pay with {REDACTOR.token('4111 1111 1111 1111')}"
    assert candidate is not None
    assert len(candidate) == len("pay with 5555 5555 5555 4444")


def test_failure_keeps_no_payload() -> None:
    kept = redacted_answer(REDACTOR, Failure("protocol", "illegal status line: HTTP/9 token=hunter2"), None)
    assert isinstance(kept, Failure)
    assert kept.reason == "protocol"
    assert "hunter2" not in kept.detail


def test_large_answer_is_cut_and_marked() -> None:
    body = b'{"rows": [' + b", ".join(b'{"id": %d}' % number for number in range(60_000)) + b"]}"
    kept = redacted_answer(REDACTOR, Response(200, (), b"coded"), body)
    assert isinstance(kept, Response)
    assert kept.truncated
    assert MOST_KEPT - 100 < len(kept.body) <= MOST_KEPT
