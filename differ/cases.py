"""Judges one case of a case file: the format that `compare --cases` reads and `export json` writes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import date
from typing import Any

from differ.judge import judge
from rules.load import rules_from_case
from traffic.message import Answer, Failure, Headers, Request, Response
from traffic.outcome import Verdict


class CaseError(ValueError):
    """A case that cannot be read; the text says which member is wrong."""


def judge_case(document: Mapping[str, Any], today: date) -> dict[str, Any]:
    """`{"name", "verdict", "paths", "tolerated"}` of one case, or `{"name", "verdict": "error", "error"}`. Never raises."""
    name = document.get("name") if isinstance(document, Mapping) else None
    try:
        if not isinstance(document, Mapping):
            raise CaseError("a case must be an object")
        request, route = _request(document.get("request"))
        rules = rules_from_case(document)
        answers = [_answer(side, document.get(side)) for side in ("primary", "candidate")]
    except ValueError as error:
        return {"name": name, "verdict": "error", "error": str(error)}
    judgement = judge(request, route, answers[0], answers[1], rules, today)
    paths = judgement.paths if judgement.verdict is Verdict.MISMATCH else []
    return {"name": name, "verdict": judgement.verdict.value, "paths": paths, "tolerated": list(judgement.tolerated)}


def _request(value: Any) -> tuple[Request, str]:
    if not isinstance(value, Mapping) or not isinstance(value.get("method"), str) or not isinstance(value.get("path"), str):
        raise CaseError("request: needs 'method' and 'path' as texts")
    route = value.get("route")
    if route is not None and not isinstance(route, str):
        raise CaseError("request.route: must be a text")
    path = value["path"]
    label = route or path.partition("?")[0]
    if label.startswith("/") or label == "unrouted":
        label = f"{value['method']} {label}"
    body = _body("request.body", value.get("body"))
    target = path.encode("utf-8", "surrogatepass")
    return Request(value["method"], target, _headers("request", value.get("headers")), body), label


def _answer(side: str, value: Any) -> Answer:
    if not isinstance(value, Mapping):
        raise CaseError(f"{side}: needs an object with status, headers and body")
    error = value.get("error")
    if error:
        return Failure(str(error)[:40])
    status = value.get("status")
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 999:
        raise CaseError(f"{side}.status: must be a number from 100 to 999, got {status!r}")
    headers = _headers(side, value.get("headers"))
    return Response(status, headers, _body(f"{side}.body", value.get("body")), bool(value.get("truncated")))


def _headers(side: str, value: Any) -> Headers:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise CaseError(f"{side}.headers: must be a list of [name, value] pairs")
    made = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise CaseError(f"{side}.headers: must be a list of [name, value] pairs, got {str(pair)[:80]}")
        made.append((_bytes(pair[0]), _bytes(pair[1])))
    return tuple(made)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _body(place: str, value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, Mapping) and isinstance(value.get("b64"), str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise CaseError(f"{place}.b64: is no base64: {error}") from error
    raise CaseError(f'{place}: must be a text or {{"b64": "..."}}')
