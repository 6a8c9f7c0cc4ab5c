"""What an exported test asserts of one example.

The primary's answer is expected whole. `must` are the places of the recorded mismatches. Not asserted is what the rules in force
tolerate (`skip` and `relations`, from the rules themselves) and any other place where this very pair of answers differed without
being a mismatch: noise, a preset, a normaliser. The status must be the primary's, unless this pair's other status was tolerated or
a rule maps it. Headers: the mismatching ones, the content type and the redirect target. Bodies of HEAD, 204 and 304 are not looked at.

Every case is tried before it is written, with the comparison that is exported with it: the recorded primary's answer has to pass
and the recorded candidate's has to fail. Where that cannot be (the difference stands in a redacted value) the test says so and is
skipped.
"""

from __future__ import annotations

from typing import Any

from export.generated.parity_compare import body_differences, covers, differences
from export.places import Pattern, generalised, parse_place
from export.requests import TOKEN, header_pairs
from export.rule_terms import RuleTerms
from store.records import Example
from traffic.message import Headers, Response, first_header, header_values
from traffic.redact import WITHHELD

UNTESTABLE_ASPECTS = frozenset({"latency", "relation"})
_REDIRECTS = ("content-type", "location")


def expectation(example: Example, terms: RuleTerms, target: bytes) -> tuple[dict[str, Any], str]:
    """The case document without its body files, and why it cannot be asserted (empty where it can). Needs a primary `Response`."""
    primary = example.primary
    assert isinstance(primary, Response)
    status_differs = any(d.atom.aspect == "status" for d in example.differences)
    judged = isinstance(example.candidate, Response) and not status_differs
    case: dict[str, Any] = {
        "route": example.route,
        "request": {
            "method": example.request.method,
            "target": target.decode("latin-1"),
            "headers": [list(pair) for pair in header_pairs(example.request)],
        },
        "expected": {
            "status": primary.status,
            "accept_status": _accepted(example, terms, status_differs),
            "kind": _kind(primary),
            "headers": {},
            "cookies": {},
        },
        "must": _must(example),
        "skip": list(terms.skip),
        "relations": list(terms.relations),
        "presets": list(terms.presets),
        "present_only": sorted(terms.present_only),
        "bases": _bases(example, terms),
        "drop_query": [list(pair) for pair in terms.drop_query],
    }
    _add_headers(case, example, terms, judged)
    if judged and isinstance(example.candidate, Response):
        case["skip"] += _tolerated_here(case, primary, example.candidate)
    return case, _try(case, example)


def _accepted(example: Example, terms: RuleTerms, status_differs: bool) -> list[int]:
    assert isinstance(example.primary, Response)
    accepted = set(terms.statuses)
    if not status_differs and isinstance(example.candidate, Response):
        accepted.add(example.candidate.status)
    return sorted(accepted - {example.primary.status})


def _must(example: Example) -> list[Pattern]:
    patterns: list[Pattern] = []
    for difference in example.differences:
        if difference.atom.aspect == "body":
            pattern = parse_place(difference.atom.path)
            # A generalised key (`.*`) and an index (`[*]`) are both "any one step" here; a tag of an HTML page is the whole page.
            patterns.append([] if pattern is None else pattern)
    return sorted(_distinct(patterns), key=str)


def _distinct(patterns: list[Pattern]) -> list[Pattern]:
    return [pattern for i, pattern in enumerate(patterns) if pattern not in patterns[:i]]


def _kind(answer: Response) -> str:
    kind = (first_header(answer.headers, b"content-type") or b"").partition(b";")[0].strip().lower()
    if answer.body == WITHHELD:
        return "none"
    if kind.endswith(b"json"):
        return "json"
    if kind in (b"text/html", b"application/xhtml+xml"):
        return "html"
    if not kind and answer.body[:1] in (b"{", b"["):
        return "json"
    return "text" if kind.startswith(b"text/") or (not kind and answer.body.isascii()) else "bytes"


def _bases(example: Example, terms: RuleTerms) -> list[str]:
    hosts = [value.decode("latin-1") for value in header_values(example.request.headers, b"host")] + ["testserver"]
    bases = {*terms.bases, *(f"{scheme}://{host}" for host in hosts for scheme in ("http", "https"))}
    return sorted((base.rstrip("/") for base in bases if TOKEN.search(base) is None), key=lambda base: (-len(base), base))


def _joined(headers: Headers, name: str) -> str | None:
    values = header_values(headers, name.encode("latin-1", "replace"))
    return ", ".join(value.decode("latin-1") for value in values) if values else None


def _cookie_line(headers: Headers, name: str) -> str | None:
    for value in header_values(headers, b"set-cookie"):
        if value.partition(b"=")[0].strip() == name.encode("latin-1", "replace"):
            return value.decode("latin-1")
    return None


def _add_headers(case: dict[str, Any], example: Example, terms: RuleTerms, judged: bool) -> None:
    """The mismatching headers and cookies, and those two that are never noise, unless this pair or a rule says they are."""
    assert isinstance(example.primary, Response)
    wanted: dict[str, str | None] = {}
    for difference in example.differences:
        if difference.atom.aspect == "header":
            wanted[difference.atom.path] = _joined(example.primary.headers, difference.atom.path)
        elif difference.atom.aspect == "cookie":
            case["expected"]["cookies"][difference.atom.path] = _cookie_line(example.primary.headers, difference.atom.path)
    for name in _REDIRECTS:
        value = _joined(example.primary.headers, name)
        if (
            name in wanted
            or name in terms.skip_headers
            or value is None
            or (name == "content-type" and not example.primary.body)
        ):
            continue
        case["expected"]["headers"] = {name: value}
        same = not isinstance(example.candidate, Response) or not differences(
            {**case, "expected": {**case["expected"], "kind": "none", "cookies": {}}},
            b"",
            example.primary.status,
            _pairs(example.candidate),
            b"",
        )
        if same or not judged:
            wanted[name] = value
    case["expected"]["headers"] = wanted


def _pairs(answer: Response) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]


def _tolerated_here(case: dict[str, Any], primary: Response, candidate: Response) -> list[Pattern]:
    """The places, indices forgotten, where this pair differed and the judgement did not mind."""
    found: list[Pattern] = []
    for place, _ in body_differences(case, primary.body, candidate.status, candidate.body):
        concerns = any(covers(must, place) or covers(must[: len(place)], place) for must in case["must"])
        if not concerns and generalised(place) not in found:
            found.append(generalised(place))
    return found


def _try(case: dict[str, Any], example: Example) -> str:
    assert isinstance(example.primary, Response)
    if differences(case, example.primary.body, example.primary.status, _pairs(example.primary), example.primary.body):
        return "the recorded answer of the primary cannot be compared with itself"
    if not isinstance(example.candidate, Response):
        return ""
    kept: list[dict[str, Any]] = case["relations"]
    for relations in (kept, []):
        case["relations"] = relations
        if differences(case, example.primary.body, example.candidate.status, _pairs(example.candidate), example.candidate.body):
            return ""
    return "the recorded difference stands in a value that was redacted, or in a spelling that this comparison does not see"
