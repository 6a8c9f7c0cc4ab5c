"""Every difference that remains, with its reason. The catalogue's test holds this table: nothing may be missing, nothing superfluous.

`render` writes it for docs/transparency.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from mitmproxy.version import VERSION

_REFUSED = frozenset({"status line", "header fields", "body", "backend: not asked"})
_BAD_GATEWAY = frozenset({"status line", "header fields", "body"})

REASONS: dict[str, str] = {
    "refused": "Backends would read it in more than one way, so it reaches none: 400, or 431 where it is too large, and the end.",
    "origin form": "The target's authority is taken off: the backend is chosen by the configuration, never by a request.",
    "old mitmproxy": "mitmproxy 11 (Python 3.11) knows schemes in small letters only.",
    "hop": "Chunk extensions belong to one hop (RFC 9112 7.1.1); the body is framed anew.",
    "upgrade": "An upgrade to another HTTP or to TLS would hide what follows from the proxy: it is not passed on.",
    "no answer": "The backend gave no answer that could be passed on: the proxy says 502 instead of just closing.",
    "bad answer": "Clients would read it in more than one way: 502.",
    "one framing": "Equal lengths become one, and a length beside a transfer coding goes (RFC 9112 6.3).",
    "repaired": "Forms that a proxy has to mend before it passes them on (RFC 9112 4, 5.1, 5.2, 6.1 and RFC 9110 5.5).",
    "own connection": "The client's connection is the proxy's: it ends when an answer says so, not when the backend's does.",
    "old client": "HTTP/1.0 has no informational answers (RFC 9110 15.2).",
}


@dataclass(frozen=True)
class Listed:
    """What differs in these cases, and why."""

    reason: str
    differences: frozenset[str]
    names: tuple[str, ...]
    mitmproxy: str = ""
    """How the versions of mitmproxy begin that it holds for."""


TABLE: tuple[Listed, ...] = (
    Listed(
        "refused",
        _REFUSED | {"connection open -> closed"},
        (
            *(
                f"refused: {name}"
                for name in (
                    "a length and a transfer coding",
                    "two equal lengths",
                    "a length with leading zeros",
                    "two Hosts",
                    "no Host",
                    "a folded field",
                    "line ends of one byte",
                    "a blank before a colon",
                    "a control character in a value",
                    "a field without a colon",
                    "a fragment in the target",
                    "a target in authority form",
                    "CONNECT",
                    "* for another method than OPTIONS",
                    "gzip, chunked",
                    "small letters in the method",
                    "Connection that names a field of the backend",
                    "300 fields",
                    "a head of 80 KiB",
                    "a trailer that frames",
                )
            ),
        ),
    ),
    Listed("refused", _REFUSED, ("refused: another version", "refused: chunks in HTTP/1.0")),
    Listed(
        "origin form",
        frozenset({"backend: request line"}),
        tuple(
            f"absolute form {name}"
            for name in ("with a path", "of another host", "without a path", "with a port", "with https")
        ),
    ),
    Listed("origin form", frozenset({"backend: request line"}), ("absolute form in capitals",), mitmproxy="12."),
    Listed("old mitmproxy", _REFUSED | {"connection open -> closed"}, ("absolute form in capitals",), mitmproxy="11."),
    Listed(
        "hop",
        frozenset({"backend: chunk extensions"}),
        ("request body: chunk extensions", "request body: chunk extension with blanks", "slow request: chunks byte by byte"),
    ),
    Listed("hop", frozenset({"chunk extensions"}), ("chunks: extensions",)),
    Listed("upgrade", frozenset({"backend: header fields"}), ("request fields: upgrade to h2c",)),
    Listed("no answer", frozenset({"answer"}), ("cut before an answer", "cut in a head")),
    Listed(
        "bad answer",
        _BAD_GATEWAY | {"connection open -> closed"},
        ("sloppy: a line without a colon", "sloppy: no HTTP"),
    ),
    Listed("bad answer", _BAD_GATEWAY | {"connection out of step -> closed"}, ("sloppy: different lengths",)),
    Listed("bad answer", _BAD_GATEWAY | {"framing", "connection open -> closed"}, ("sloppy: chunked twice",)),
    Listed("bad answer", _BAD_GATEWAY | {"framing"}, ("end: a length that is no number",)),
    Listed(
        "one framing",
        frozenset({"header fields"}),
        ("length: the same twice", "length: the same twice in one", "HEAD with the same length twice"),
    ),
    Listed(
        "one framing", frozenset({"header fields", "connection open -> closed"}), ("sloppy: a length and a transfer coding",)
    ),
    Listed("repaired", frozenset({"status line"}), ("no status text and no blank", "sloppy: two blanks behind the version")),
    Listed(
        "repaired",
        frozenset({"header fields"}),
        (
            "length: a folded field",
            "no body: 204 with a transfer coding",
            "sloppy: a blank before a colon",
            "sloppy: a null in a value",
        ),
    ),
    Listed(
        "own connection",
        frozenset({"connection closed -> open"}),
        ("end: length, then closed without a word", "end: chunks, then closed without a word"),
    ),
    Listed("own connection", frozenset({"connection open -> closed"}), ("a backend that says close and stays",)),
    Listed(
        "own connection",
        frozenset({"connection out of step -> open"}),
        ("sloppy: a body behind 204", "sloppy: more than its length"),
    ),
    Listed("old client", frozenset({"informational answers"}), ("HTTP/1.0 with hints",)),
)


def expected() -> dict[str, frozenset[str]]:
    """The differences of each case that has any."""
    held = [listed for listed in TABLE if VERSION.startswith(listed.mitmproxy)]
    return {name: listed.differences for listed in held for name in listed.names}


def render() -> str:
    """The table as Markdown."""
    lines = ["| reason | what differs | cases |", "|---|---|---|"]
    for listed in TABLE:
        cases = ", ".join(name.replace("|", "\\|") for name in listed.names)
        lines.append(f"| {REASONS[listed.reason]} | {', '.join(sorted(listed.differences))} | {cases} |")
    return "\n".join(lines) + "\n"
