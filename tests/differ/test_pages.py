"""White space and letter case of pages: what a reader sees is compared, what the browser leaves out is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from differ.facts import Judgement
from differ.html_tokens import tokens
from traffic.message import Response


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("Hello <b>world</b>", "Hello<b>world</b>"),
        ("1 <span>2</span>", "1<span>2</span>"),
        ("<p><i>a</i> <i>b</i></p>", "<p><i>a</i><i>b</i></p>"),
        ("<p>a <img src=x></p>", "<p>a<img src=x></p>"),
        ("<p>a <select><option>b</select></p>", "<p>a<select><option>b</select></p>"),
        ("<p><button>a</button> b</p>", "<p><button>a</button>b</p>"),
        ("<pre> a</pre>", "<pre>a</pre>"),
        ("<pre><b>a</b>\n\nb</pre>", "<pre><b>a</b>\nb</pre>"),
        ("<textarea>a </textarea>", "<textarea>a</textarea>"),
        ("<script>a = ' '</script>", "<script>a = ''</script>"),
        ("<p>a&nbsp;</p>", "<p>a</p>"),
        ("<![CDATA[ABC]]>", "<![CDATA[abc]]>"),
        ("<![CDATA[a>B]]>", "<![CDATA[a>b]]>"),
        ("<![CDATA[a  b]]>", "<![CDATA[a b]]>"),
        ('<!DOCTYPE html SYSTEM "A.dtd">', '<!DOCTYPE html SYSTEM "a.dtd">'),
        ("<?php Echo ?>", "<?php echo ?>"),
    ],
)
def test_what_a_reader_sees_is_a_difference(
    ours: str, theirs: str, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    judgement = judge_pair(reply(ours.encode(), kind="text/html"), reply(theirs.encode(), kind="text/html"))

    assert judgement.verdict.value == "mismatch"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("  <p> a </p>\n<p>b</p> ", "<p>a</p><p>b</p>"),
        ("<p>a  \n b</p>", "<p>a b</p>"),
        ("<p>a <b> c </b> </p>", "<p>a <b>c</b></p>"),
        ("<p>a <br> b</p>", "<p>a<br>b</p>"),
        ("<p>a <!--x--> b</p>", "<p>a <!--x-->b</p>"),
        ("<head>\n<meta name=a>\n<title> t </title>\n</head>", "<head><meta name=a><title>t</title></head>"),
        ("<p>a</p>\n<script>b</script>\n<p>c</p>", "<p>a</p><script>b</script><p>c</p>"),
        (
            "<form>\n<input type=hidden name=a>\n<label>b</label></form>",
            "<form><input type=hidden name=a><label>b</label></form>",
        ),
        ("<select>\n<option> a </option>\n</select>", "<select><option>a</option></select>"),
        ("<button> a </button>", "<button>a</button>"),
        ("<!DOCTYPE HTML>", "<!doctype  html>"),
        ('<?xml version="1.0" encoding="UTF-8"?>', '<?xml version="1.0" encoding="utf-8"?>'),
    ],
)
def test_what_no_reader_sees_is_none(
    ours: str, theirs: str, reply: Callable[..., Response], judge_pair: Callable[..., Judgement]
) -> None:
    judgement = judge_pair(reply(ours.encode(), kind="text/html"), reply(theirs.encode(), kind="text/html"))

    assert (judgement.verdict.value, judgement.paths) == ("match", [])


def test_a_lone_blank_is_named_in_the_path(reply: Callable[..., Response], judge_pair: Callable[..., Judgement]) -> None:
    pages: list[Any] = [reply(page, kind="text/html") for page in (b"<b>a</b> <b>b</b>", b"<b>a</b><b>b</b>")]

    assert judge_pair(*pages).paths == ["html:(white space)"]


def test_many_open_cdata_sections_cost_linear_time() -> None:
    assert len(list(tokens("<![CDATA[" * 200_000, mask_csrf=True))) == 1
