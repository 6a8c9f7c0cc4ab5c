"""Mismatches as regression tests: one pytest file per route, its cases and bodies beside it.

The tests import nothing of Paritygate: the small comparison and client they need are copied next to them. No payload ever stands in
Python source: cases are ASCII JSON, bodies are JSON, text or base64 files, names are `[a-z0-9_]` and a hash of what they hold.
What a test asserts is decided in `export.expectation`. The same examples and rules give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib import resources
from typing import Any

from export.body_files import exact_file, expected_file
from export.expectation import UNTESTABLE_ASPECTS, expectation
from export.names import digest, safe_name
from export.readme import readme
from export.requests import TOKEN, secret_names
from export.rule_terms import rule_terms
from rules.model import RuleSet
from store.records import Example
from traffic.message import Response, first_header
from traffic.route import Route, RouteTable

_GENERATED = ("parity_compare.py", "parity_values.py", "parity_client.py")
_LONGEST_TARGET = 60_000
_CONFTEST = '''"""Makes the modules beside the exported tests importable, and the application that PARITYGATE_APP names."""

import os
import sys
from pathlib import Path

for folder in (os.getcwd(), str(Path(__file__).parent)):
    if folder not in sys.path:
        sys.path.insert(0, folder)
'''


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    comments: tuple[str, ...]
    skipped: str
    files: dict[str, bytes]


def export_pytest(
    examples: Sequence[Example], rules: RuleSet, today: date, candidate_paths: Mapping[str, str] | None = None
) -> dict[str, bytes]:
    """Relative file names and contents: a folder that `pytest` runs as it is.

    `candidate_paths` maps a route's label to the candidate's template where that differs. Left out are examples without a
    primary's answer and those that differ in time or in relations only, which no single request can show.
    """
    chosen = sorted((e for e in examples if _testable(e)), key=lambda e: (e.route, e.request.method, e.request.target, e.id))
    secrets = secret_names(chosen)
    files: dict[str, bytes] = {"conftest.py": _CONFTEST.encode("ascii")}
    for name in _GENERATED:
        source = resources.files("export.generated").joinpath(name).read_text(encoding="utf-8")
        files[name] = source.replace("from export.generated.", "from ").encode("utf-8")
    cases: dict[str, dict[str, _Case]] = {}
    for example in chosen:
        case = _case(example, rules, today, secrets, (candidate_paths or {}).get(example.route))
        cases.setdefault(example.route, {})[case.name] = case
    for route, by_name in sorted(cases.items()):
        folder = safe_name(route, digest(route.encode("utf-8", "surrogatepass")))
        ordered = [by_name[name] for name in sorted(by_name)]
        files[f"test_{folder}.py"] = _source(route, folder, ordered, rules, today)
        for case in ordered:
            files.update({f"cases/{folder}/{name}": content for name, content in case.files.items()})
    files["README.md"] = readme(chosen, secrets, rules)
    return dict(sorted(files.items()))


def _testable(example: Example) -> bool:
    aspects = {difference.atom.aspect for difference in example.differences}
    return (
        isinstance(example.primary, Response)
        and not example.primary.truncated
        and not (isinstance(example.candidate, Response) and example.candidate.truncated)
        and (not aspects or not aspects <= UNTESTABLE_ASPECTS)
        and len(example.request.target) <= _LONGEST_TARGET
    )


def _case(example: Example, rules: RuleSet, today: date, secrets: Mapping[str, str], candidate_path: str | None) -> _Case:
    primary = example.primary
    assert isinstance(primary, Response)
    content_type = (first_header(primary.headers, b"content-type") or b"").decode("latin-1")
    terms = rule_terms(rules, example.route, primary.status, content_type, today)
    document, skipped = expectation(example, terms, _target(example, candidate_path))
    body = example.request.body
    used = set(TOKEN.findall(json.dumps(document["request"]) + body.decode("latin-1")))
    document["secrets"] = {token: name for token, name in secrets.items() if token in used}
    unique = digest(_json_bytes(document), primary.body, body)
    name = safe_name(example.request.path.decode("latin-1"), unique)
    files: dict[str, bytes] = {}
    document["request"]["body"] = None
    if body:
        file_name, content = exact_file(f"{name}.request", body)
        document["request"]["body"] = file_name
        files[file_name] = content
    document["expected"]["body"] = None
    if primary.body and document["expected"]["kind"] != "none":
        file_name, content = expected_file(f"{name}.expected", document["expected"]["kind"], primary.body)
        document["expected"]["body"] = file_name
        files[file_name] = content
    files[f"{name}.case.json"] = _json_bytes(document)
    return _Case(name, _comments(example), skipped, files)


def _target(example: Example, candidate_path: str | None) -> bytes:
    """The target to ask the candidate for; unchanged where the route has no path of its own there."""
    target = example.request.target
    method, _, template = example.route.partition(" ")
    if candidate_path is None or not template.startswith("/"):
        return target
    path, question, query = target.partition(b"?")
    mapped = RouteTable([Route(method, template, candidate_path)]).match(method, path).candidate_path()
    return target if mapped is None else mapped + question + query


def _comments(example: Example) -> tuple[str, ...]:
    lines = [f"{example.request.method} {ascii(example.request.target.decode('latin-1'))[:160]}"]
    for difference in example.differences[:20]:
        atom = difference.atom
        lines.append(f"differed: {atom.aspect} {ascii(atom.path)[:160]} ({atom.kind}{', ' + atom.types if atom.types else ''})")
    if not isinstance(example.candidate, Response):
        lines.append(f"the candidate gave no complete answer: {example.candidate.reason}")
    if example.tolerated:
        lines.append(f"tolerated when recorded: {', '.join(example.tolerated)}")
    return tuple(_comment(line) for line in lines)


def _comment(line: str) -> str:
    """One line of printable ASCII, whatever was in it."""
    return "".join(char if " " <= char <= "~" else "?" for char in line)[:300]


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=True) + "\n").encode("ascii")


def _source(route: str, folder: str, cases: Sequence[_Case], rules: RuleSet, today: date) -> bytes:
    described = rule_terms(rules, route, None, None, today).described
    lines = ['"""Exported by Paritygate: the candidate has to answer these requests as the primary did. See README.md."""', ""]
    lines += [f"# Route: {_comment(ascii(route))}", "# Rules in force here; what they tolerate is not asserted:"]
    lines += [f"#   {_comment(text)}" for text in described] or ["#   none"]
    lines += ["", "from pathlib import Path", ""]
    if any(case.skipped for case in cases):
        lines += ["import pytest"]
    lines += ["from parity_client import check", "", f'CASES = Path(__file__).parent / "cases" / "{folder}"', ""]
    for case in cases:
        lines += [""]
        if case.skipped:
            lines += [f'@pytest.mark.skip(reason="{case.skipped}")']
        lines += [f"def test_{case.name}():", *(f"    # {comment}" for comment in case.comments)]
        lines += [f'    check(CASES / "{case.name}.case.json")', ""]
    return ("\n".join(lines).rstrip("\n") + "\n").encode("ascii")
