"""Text of strangers survives the way through a database that refuses some of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from store.text import bounded, escape_text, unescape_text

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
@settings(max_examples=200, deadline=None)
def test_escaping_is_undone_exactly(text: str) -> None:
    assert unescape_text(escape_text(text)) == text


@given(ANY_TEXT)
@settings(max_examples=200, deadline=None)
def test_escaped_text_is_valid_utf8_without_nul(text: str) -> None:
    assert b"\0" not in escape_text(text).encode("utf-8")


def test_text_that_looks_escaped_is_told_apart_from_escaped_text() -> None:
    assert escape_text("\\u0000") != escape_text("\0")


@given(ANY_TEXT, st.integers(30, 80))
@settings(max_examples=200, deadline=None)
def test_bounded_text_fits_and_is_the_text_itself_where_it_fitted(text: str, limit: int) -> None:
    cut = bounded(text, limit)
    size = len(text.encode("utf-8", "surrogatepass"))
    assert cut == text if size <= limit else len(cut.encode("utf-8")) <= limit


def test_two_long_texts_with_one_beginning_stay_two() -> None:
    assert bounded("a" * 300 + "b", 200) != bounded("a" * 300 + "c", 200)
