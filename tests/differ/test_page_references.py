"""Character references as a browser undoes them, and where white space is kept."""

from __future__ import annotations

import pytest

from differ.html_markup import attribute_text, unescaped
from differ.html_tokens import tokens


@pytest.mark.parametrize(
    ("text", "inside_text", "inside_attribute"),
    [
        ("&amp;amp;", "&amp;", "&amp;"),
        ("&#38;amp;", "&amp;", "&amp;"),
        ("&l&#116;", "&lt", "&lt"),
        ("?a=1&section=2", "?a=1§ion=2", "?a=1&section=2"),
        ("?a=1&copy=2", "?a=1©=2", "?a=1&copy=2"),
        ("&copy", "©", "©"),
        ("&notit;", "¬it;", "&notit;"),
        ("a&#1;b", "a\x01b", "a\x01b"),
        ("&#128;&#0;", "€\ufffd", "€\ufffd"),
        ("&#" + "9" * 5_000 + ";", "&#" + "9" * 5_000 + ";", "&#" + "9" * 5_000 + ";"),
    ],
)
def test_references_are_undone_once(text: str, inside_text: str, inside_attribute: str) -> None:
    assert (unescaped(text), attribute_text(text)) == (inside_text, inside_attribute)


@pytest.mark.parametrize(
    "page",
    [
        "<pre>" + "<i>" * 20 + "a{}b</pre>",
        "<b><pre>x</b>a{}b</pre>",
        "<xmp>a{}b</xmp>",
        "<div><textarea>a{}b</textarea></div>",
    ],
)
def test_white_space_is_kept_however_deep_and_misnested(page: str) -> None:
    assert list(tokens(page.format("  "), mask_csrf=True)) != list(tokens(page.format(" "), mask_csrf=True))


@pytest.mark.parametrize("page", ["<pre>x</pre>a{}b", "<div><pre>x</div>a{}b", "<script>x</script>a{}b"])
def test_white_space_collapses_again_afterwards(page: str) -> None:
    assert [token.key for token in tokens(page.format("  "), mask_csrf=True)] == [
        token.key for token in tokens(page.format(" "), mask_csrf=True)
    ]


def test_frames_hold_raw_text() -> None:
    assert [token.name for token in tokens("<iframe>&amp;</iframe>", mask_csrf=True)] == ["iframe", "&amp;", "iframe"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<!-->a", "<!-- >a-->"),
        ("<!--->a", "<!---->b"),
        ("<p>a</p class='>'>", "<p>a</p>'>"),
        ("<p>a<b", "<p>a<b>"),
        ("<p>a</p", "<p>a</p>"),
        ("a</", "a</ >"),
        ("<plaintext>a</plaintext>&amp;", "<plaintext>a</plaintext>&"),
        ("<plaintext>a  b", "<plaintext>a b"),
        ("<noframes>&amp;</noframes>", "<noframes>&</noframes>"),
    ],
)
def test_pages_that_browsers_tell_apart_are_two(one: str, other: str) -> None:
    assert [token.key for token in tokens(one, mask_csrf=True)] != [token.key for token in tokens(other, mask_csrf=True)]


@pytest.mark.parametrize(
    ("one", "other"), [("<!--a--!>b", "<!--a-->b"), ("<p>a</p x='>'>b", "<p>a</p>b"), ("<!-->b", "<!---->b")]
)
def test_pages_that_are_one_to_browsers_are_one(one: str, other: str) -> None:
    assert [token.key for token in tokens(one, mask_csrf=True)] == [token.key for token in tokens(other, mask_csrf=True)]
