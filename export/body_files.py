"""Bodies as files beside a test: readable where that is safe, base64 where it is not."""

from __future__ import annotations

import base64
import json
import re
import unicodedata

from export.generated.parity_compare import Unreadable, read_json

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def expected_file(name: str, kind: str, body: bytes) -> tuple[str, bytes]:
    """The file of an expected body: JSON re-indented (numbers as they are spelt), text as it is, else base64."""
    if kind == "json":
        try:
            pretty = indented_json(body.decode("utf-8"))
            if read_json(pretty) == read_json(body):
                return f"{name}.json", pretty
        except (Unreadable, UnicodeDecodeError, RecursionError, ArithmeticError):
            pass
    return exact_file(name, body)


def exact_file(name: str, body: bytes) -> tuple[str, bytes]:
    """The file of a body that has to keep its bytes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if all(char in "\n\t" or not _invisible(char) for char in text):
        return f"{name}.txt", body
    return f"{name}.b64", base64.encodebytes(body)


def _invisible(char: str) -> bool:
    """Control, bidi, format and unassigned characters: what an editor may hide, reorder or rewrite."""
    return (not char.isascii() and unicodedata.category(char)[0] in "CZ") or (char.isascii() and not char.isprintable())


def _escaped(token: str) -> str:
    return "".join(json.dumps(char)[1:-1] if _invisible(char) else char for char in token)


def indented_json(text: str) -> bytes:
    """Valid JSON with one member a line; every token as it was spelt, but for invisible characters, which are escaped."""
    parts: list[str] = []
    depth, after = 0, ""
    for token in _TOKEN.findall(text):
        if token in "}]":
            depth -= 1
            if after not in ("{", "["):
                parts.append("\n" + "  " * depth)
            parts.append(token)
        else:
            if after and after in "{[,":
                parts.append("\n" + "  " * depth)
            parts.append(": " if token == ":" else _escaped(token))
            depth += token in ("{", "[")
        after = token
    return "".join([*parts, "\n"]).encode("utf-8")
