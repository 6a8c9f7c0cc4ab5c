"""Texts that are JSON (RFC 8259), that are not, and that parsers quarrel about, made from the grammar."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product


def _numbers() -> Iterator[str]:
    for sign, whole, fraction, exponent in product(("", "-"), ("0", "7", "10"), ("", ".0", ".25"), ("", "e0", "E+2", "e-2")):
        yield f"{sign}{whole}{fraction}{exponent}"


def _strings() -> Iterator[str]:
    yield from (
        '""',
        '"a"',
        '"\\""',
        '"\\\\"',
        '"\\/"',
        '"/"',
        '"\\b\\f\\n\\r\\t"',
        '"\\u0041"',
        '"A"',
        '"\\u00e9"',
        '"é"',
        '"e\u0301"',
    )
    yield from (
        '"\\u0000"',
        '"\\u001f"',
        '"\x7f"',
        '"\\u2028"',
        '"\u2028"',
        '"\ufeff"',
        '"\\ufeff"',
        '"\\uD83D\\uDE00"',
        '"\U0001f600"',
    )
    yield from (
        '"\uffff"',
        '"\\uffff"',
        '"\\u0022"',
        '"{}[]:,"',
        '"//"',
        '"\\\\u0041"',
        '"true"',
        '"null"',
        '"1"',
        '" "',
        '"\\u0020"',
    )


def _structures() -> Iterator[str]:
    yield from ("true", "false", "null", "[]", "{}", "[[]]", "[{}]", '{"":0}', '{"a":[]}', '{"a":{}}', "[null]", "[true,false]")
    yield from ("[1,1]", "[1,2]", "[2,1]", '{"a":1,"b":2}', '{"b":2,"a":1}', '{"\\u0061":1,"b":2}', '[["a",{"b":[0]}],{}]')
    yield from ("[1,[2,[3]]]", '{"a":{"b":{"c":null}}}', '{"a":null}', '{"a":false}', '{"A":1}', '{"\\u0000":1}', '{"a.b":1}')
    yield from (" [ ] ", "\t{\n}\r\n", "[\n1\t,\r2 ]", ' { "a" : 1 , "b" : 2 } ', "\n0\n")


def _broken_numbers() -> Iterator[str]:
    yield from (
        "01",
        "-01",
        "00",
        "+1",
        ".5",
        "-.5",
        "1.",
        "-1.",
        "1.e1",
        "1e",
        "1e+",
        "1E-",
        "1ee1",
        "1e1.5",
        "0x1",
        "0b1",
        "1_000",
        "1,5",
    )
    yield from ("--1", "-", "1-", "1 000", "\uff10", "1\u0660", "Inf", "+Infinity", "nan", "-nan", "1.0.0", "1/2", "\u0661")


def _broken_strings() -> Iterator[str]:
    yield from (
        '"',
        '"a',
        "a",
        "'a'",
        '"a\nb"',
        '"a\tb"',
        '"\x00"',
        '"\x1f"',
        '"\\"',
        '"\\x41"',
        '"\\u"',
        '"\\u12"',
        '"\\u00G0"',
        '"\\a"',
    )
    yield from (
        '"\\\'"',
        '"\\U00000041"',
        '"\\ "',
        '"a" "b"',
        '"a"b',
        '\\"a"',
        '"\\u{41}"',
        "“a”",
        "`a`",
        '"\\u 041"',
        '"\\u-041"',
    )


def _broken_structures() -> Iterator[str]:
    yield from (
        "",
        " ",
        "\n",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "1]",
        '{"a":1',
        '"a":1}',
        "[1,]",
        "[,1]",
        "[1,,2]",
        "[,]",
        '{"a":1,}',
        "{,}",
    )
    yield from (
        '{"a" 1}',
        '{"a":}',
        "{:1}",
        '{"a"}',
        "{a:1}",
        "{'a':1}",
        "{1:1}",
        "{null:1}",
        "[1 2]",
        "[1;2]",
        '["a":1]',
        "{[]:1}",
        "[}",
        "{]",
    )
    yield from (
        "[[1]",
        "[1]]",
        "1 1",
        "[] []",
        "{}{}",
        "null null",
        "nul",
        "nulll",
        "True",
        "TRUE",
        "tru",
        "None",
        "undefined",
        "*",
        "=",
        ":",
    )
    yield from (
        "// a\n1",
        "/* a */1",
        "1 # a",
        "[1]//",
        "\u00a01",
        "\u20281",
        "\f1",
        "\v1",
        "1\0",
        "\x001",
        "<a>",
        "a=1",
        "[1,...]",
        "(1)",
        "{{}}",
    )


VALID = tuple(dict.fromkeys(text.encode() for part in (_structures(), _strings(), _numbers()) for text in part))
BROKEN = (
    *(text.encode() for part in (_broken_structures(), _broken_strings(), _broken_numbers()) for text in part),
    *(
        b'"\xff"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        b'"\xe2\x28\xa1"',
        b'"a\xc3"',
        b"\xff",
        b"\x80",
        b"[1\xff]",
    ),
    *(
        '"a"'.encode("utf-16-le"),
        '"a"'.encode("utf-16"),
        "[1]".encode("utf-32-le"),
        b"\xef\xbb",
        b"[\xef\xbb\xbf1]",
        b'{"a\xff":1}',
    ),
)
OPEN = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"[NaN]",
        b'{"a":NaN}',
        b"[1e400]",
        b"[-1e400]",
        b"1e-400",
        b"[1e99999999999999999999]",
    ),
    *(
        b"[123123123123123123123123123123]",
        b"[0.1234567890123456789012345678901234567890]",
        b"9" * 4_300,
        b"[" + b"9" * 4_301 + b"]",
    ),
    *(b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\ud800"', b'"\\ud83d\\u0041"', b'{"\\ud800":1}', b'["\\ud800","a"]', b'"\\uDEAD"'),
    *(
        b"\xef\xbb\xbf1",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf[]",
        b"\xef\xbb\xbf\xef\xbb\xbf1",
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1,"\\u0061":2}',
    ),
    *(
        b'{"a":{"b":1,"b":2}}',
        b"[" * 200 + b"]" * 200,
        b"[" * 201 + b"]" * 201,
        b"[" * 1_000 + b"]" * 1_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ),
    *(
        b"[" * 100_000 + b"]" * 100_000,
        b"-0",
        b"-0.0",
        b"1.0000000000000000000000000000000000001",
        b"9007199254740993",
        b"1E+400",
        b"0e999999999",
    ),
)
"""The reference decides: special tokens are equal to themselves, a name that stands twice and a BOM are differences."""
