"""The verdict of one pair of answers: transport, status, headers, cookies, decoding, body, in this order.

A status that differs unexplained is one difference and the end: what follows would only repeat it. Nothing a body holds raises:
a bound that is hit makes the pair inconclusive, and a candidate's body that is not what it says is a difference at `$`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from differ.atoms import header_differences
from differ.body import BodyComparison, BodyResult, PrimaryInvalid, charset_of, kind_of
from differ.budget import LimitHit
from differ.cookies import compare_cookies
from differ.decode import CutShort, Undecodable, coding_names, decode
from differ.explains import Correlations
from differ.facts import Atom, Difference, Judgement
from differ.findings import Findings
from differ.headers import compare_headers, joined, media_form, media_type
from differ.in_force import InForce, in_force
from differ.json_exact import InvalidJson, parse_one
from differ.validation_errors import field_differences, fingerprint
from rules.model import Limits, RuleSet
from traffic.message import Answer, Failure, Request, Response
from traffic.outcome import Verdict


def judge(
    request: Request,
    route: str,
    primary: Answer,
    candidate: Answer,
    rules: RuleSet,
    today: date,
    *,
    identity_headers: frozenset[str] = frozenset(),
    correlations: Correlations | None = None,
) -> Judgement:
    """The judgement of one pair of answers to `request`; never raises on hostile answers.

    `identity_headers` are lower-case names of headers that are not compared. `correlations` carries `correlate` rules' ids over
    a run; without it they hold within this pair.
    """
    if isinstance(primary, Failure):
        return _inconclusive(f"the primary gave no answer: {primary.reason}")
    if primary.truncated or (isinstance(candidate, Response) and candidate.truncated):
        return _inconclusive(f"the {'primary' if primary.truncated else 'candidate'}'s body was cut by the capture")
    if isinstance(candidate, Failure):
        atom = Atom(route, f"{primary.status}/-", "transport", "$", candidate.reason)
        return Judgement(Verdict.MISMATCH, (Difference(atom, str(primary.status), None, "$", candidate.detail[:200]),))
    force = in_force(rules, request, route, primary.status, media_type(primary.headers), today)
    pair = _Pair(request, route, primary, candidate, force, correlations or Correlations(), identity_headers)
    try:
        return pair.judge()
    except LimitHit as limit:
        return _inconclusive(str(limit))
    except (CutShort, PrimaryInvalid) as limit:
        return _inconclusive(str(limit))
    except (RecursionError, MemoryError) as error:
        return _inconclusive(f"the interpreter's own limit was hit ({type(error).__name__})")


def _inconclusive(reason: str) -> Judgement:
    return Judgement(Verdict.INCONCLUSIVE, reason=reason)


@dataclass
class _Pair:
    request: Request
    route: str
    primary: Response
    candidate: Response
    force: InForce
    correlations: Correlations
    identity: frozenset[str]
    differences: list[Difference] = field(default_factory=list)
    applied: set[str] = field(default_factory=set)
    truncated: bool = False
    relations: list[str] = field(default_factory=list)

    @property
    def statuses(self) -> str:
        return f"{self.primary.status}/{self.candidate.status}"

    def judge(self) -> Judgement:
        if self.primary.status != self.candidate.status and not self._status_explained():
            self.differences.append(self._status_difference())
            return self._judgement()
        bodiless = self.request.method == "HEAD" or self.primary.status in (204, 304)
        neither = not self.primary.body and not self.candidate.body and self.request.method != "HEAD"
        self._headers(neither or self.primary.status in (204, 304))
        if not bodiless:
            self._body()
        return self._judgement()

    def _judgement(self) -> Judgement:
        tolerated = tuple(sorted(self.applied))
        reason = "; ".join(self.relations)
        limit = self.force.rules.limits.diffs
        if self.differences:
            truncated = self.truncated or len(self.differences) > limit
            return Judgement(Verdict.MISMATCH, tuple(self.differences[:limit]), tolerated, reason, truncated)
        return Judgement(Verdict.TOLERATED if tolerated else Verdict.MATCH, (), tolerated, reason)

    def _status_explained(self) -> bool:
        for rule in self.force.for_target("status"):
            if rule.action == "map" and self.primary.status in rule.primary and self.candidate.status in rule.candidate:
                self.applied.add(rule.called)
                return True
        return self._same_refusal()

    def _same_refusal(self) -> bool:
        """400 and 422 are one status where the preset holds and both bodies have the shape of refused fields."""
        rule = self.force.builtin("drf-fastapi-errors")
        if rule is None or (self.primary.status, self.candidate.status) != (400, 422) or self.force.exact("status"):
            return False
        documents = [_document(answer, self.force.rules.limits) for answer in (self.primary, self.candidate)]
        if None in documents or field_differences(documents[0], documents[1], not self.request.body) is None:
            return False
        self.applied.add(rule.called)
        return True

    def _status_difference(self) -> Difference:
        note = ""
        for rule in self.force.for_target("status", expired=True):
            if self.primary.status in rule.primary and self.candidate.status in rule.candidate:
                note = f"expired:{rule.called}"
        kind = fingerprint(self.candidate.status, _document(self.candidate, self.force.rules.limits))
        atom = Atom(self.route, self.statuses, "status", "status", "value", kind)
        return Difference(atom, str(self.primary.status), str(self.candidate.status), "status", note)

    def _headers(self, bodiless: bool) -> None:
        for aspect in ("header", "cookie"):
            findings = Findings()
            if aspect == "header":
                compare_headers(
                    self.primary, self.candidate, self.force, findings, self.correlations, self.identity, bodiless, self.request
                )
            elif "set-cookie" not in self.identity:
                compare_cookies(self.primary.headers, self.candidate.headers, self.force, findings, self.correlations)
            self.differences += header_differences(findings, self.route, self.statuses, aspect)
            self.applied |= findings.applied

    def _body(self) -> None:
        same_coding = coding_names(self.primary) == coding_names(self.candidate)
        if same_coding and self.primary.body == self.candidate.body:
            return
        comparison = BodyComparison(self.force, self.route, self.statuses, self.correlations, not self.request.body)
        cap = self.force.rules.limits.body
        try:
            ours = decode(self.primary, cap)
        except Undecodable as error:
            raise PrimaryInvalid(f"the primary: {error}") from error
        try:
            theirs = decode(self.candidate, cap)
        except Undecodable as error:
            self._take(comparison.whole("invalid", "", ours, self.candidate.body, str(error)))
            return
        kinds, charsets = self._kinds()
        if ours == theirs:
            return
        if kinds[0] != kinds[1]:
            if any(difference.atom.path == "content-type" for difference in self.differences):
                return  # the media type is the difference: comparing a page with a document says no more
            documents = [_document(answer, self.force.rules.limits) for answer in (self.primary, self.candidate)]
            kinds = ("json", "json") if None not in documents else ("text", "text")
        self._take(comparison.compare(ours, theirs, kinds[0], charsets))

    def _kinds(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """How each body is compared: a side without a media type or a body is taken for what the other one is."""
        sides = (self.primary, self.candidate)
        types = [joined(answer.headers).get("content-type", "") for answer in sides]
        for at, other in ((0, 1), (1, 0)):
            if not types[at] or not sides[at].body:
                types[at] = types[other] or types[at]
        kinds = [kind_of(str(media_form(value)[0])) for value in types]
        charsets = [charset_of(value) for value in types]
        return (kinds[0], kinds[1]), (charsets[0], charsets[1])

    def _take(self, result: BodyResult) -> None:
        self.differences += result.differences
        self.applied |= result.applied
        self.truncated = self.truncated or result.truncated
        self.relations += result.relations


def _document(answer: Response, limits: Limits) -> Any:
    """The JSON document of an answer, or None where there is none to be had."""
    try:
        document = parse_one(decode(answer, limits.body), limits)
    except (Undecodable, CutShort, InvalidJson, LimitHit):
        return None
    return None if document.duplicates else document.value
