"""Examples as lines of a case file, for `paritygate compare --cases`: the stored answers with the settings and rules in force."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

from differ.cases import judge_case
from rules.model import PresetUse, Rule, RuleSet
from store.records import Example
from traffic.message import Answer, Failure, Headers


def export_cases(examples: Sequence[Example], rules: RuleSet, build_header: str = "", today: date | None = None) -> str:
    """One JSON object a line, sorted by route and id; a trailing newline, empty text without examples.

    `build_header` names the build and is compared by nobody: it is left out of the answers. With `today` each line says how the
    stored, redacted pair is judged on that day (`expected`, `paths`), so that `compare --cases` tells when that changes.
    """
    identity = build_header.lower().encode("latin-1")
    shared = _shared(rules)
    ordered = sorted(examples, key=lambda example: (example.route, example.id))
    lines = []
    for example in ordered:
        case = {**_case(example, identity), **shared}
        if today is not None:
            judged = judge_case(case, today)
            case |= {"expected": judged["verdict"], "paths": judged["paths"]}
        lines.append(json.dumps(case, ensure_ascii=True, sort_keys=True) + "\n")
    return "".join(lines)


def _case(example: Example, identity: bytes) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": example.request.method,
        "path": example.request.target.decode("latin-1"),
        "route": example.route.partition(" ")[2],
        "headers": _headers(example.request.headers),
    }
    if example.request.body:
        request["body"] = _body(example.request.body)
    return {
        "name": f"{example.route} {example.id}",
        "why": "; ".join(f"{d.atom.aspect} {d.atom.path} {d.atom.kind}" for d in example.differences[:10]),
        "request": request,
        "primary": _answer(example.primary, identity),
        "candidate": _answer(example.candidate, identity),
    }


def _answer(answer: Answer, identity: bytes) -> dict[str, Any]:
    if isinstance(answer, Failure):
        return {"error": answer.reason}
    # The stored body is decoded already: its coding's name would make a reader decode it again.
    kept = tuple(pair for pair in answer.headers if pair[0].lower() not in (b"content-encoding", b"content-length", identity))
    document: dict[str, Any] = {"status": answer.status, "headers": _headers(kept), "body": _body(answer.body)}
    if answer.truncated:
        document["truncated"] = True
    return document


def _headers(headers: Headers) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _body(body: bytes) -> str | dict[str, str]:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(body).decode("ascii")}


def _shared(rules: RuleSet) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if rules.bases.primary or rules.bases.candidate:
        settings["bases"] = {"primary": list(rules.bases.primary), "candidate": list(rules.bases.candidate)}
    if rules.drop_query:
        settings["drop_query"] = [list(pair) for pair in rules.drop_query]
    if rules.class1_off:
        settings["class1"] = {"disable": sorted(rules.class1_off)}
    return {
        "settings": settings,
        "presets": [_preset(use) for use in rules.presets],
        "rules": [rule_document(rule) for rule in sorted(rules.rules, key=lambda rule: rule.id)],
    }


def _preset(use: PresetUse) -> dict[str, Any]:
    return {"name": use.name, **_account(use)}


def _account(entry: Rule | PresetUse) -> dict[str, Any]:
    document: dict[str, Any] = {"reason": entry.reason, "owner": entry.owner, "decision": entry.decision}
    if entry.expires is not None:
        document["expires"] = entry.expires.isoformat()
    if entry.permanent:
        document["permanent"] = True
    return {name: value for name, value in document.items() if value != ""}


def rule_document(rule: Rule) -> dict[str, Any]:
    """A rule as the entry of a rule file that makes it."""
    target = f"{rule.target}:{rule.name}" if rule.name else rule.target
    document: dict[str, Any] = {"id": rule.id, "target": target, "action": rule.action, **_account(rule)}
    if rule.path is not None:
        document["path"] = rule.path.text
    scope = {
        "method": sorted(rule.scope.methods),
        "route": rule.scope.route,
        "status": list(rule.scope.statuses),
        "content_type": rule.scope.content_type,
    }
    if any(scope.values()):
        document["scope"] = {name: value for name, value in scope.items() if value}
    parameters: dict[str, Any] = {
        "as": rule.form,
        "truncate": rule.truncate,
        "any_offset": rule.any_offset or None,
        "tol_s": rule.tol_s,
        "abs": rule.abs,
        "rel": rule.rel,
        "types": list(rule.types),
        "pattern": rule.pattern,
        "by": list(rule.by),
        "order": rule.order if rule.action == "keyed" else "",
        "name": rule.bijection,
        "primary": sorted(rule.primary),
        "candidate": sorted(rule.candidate),
        "max_rate": rule.max_rate,
        "why_not": rule.why_not,
        "ticket": rule.ticket,
    }
    return {**document, **{name: value for name, value in parameters.items() if value not in ("", None, [])}}
