"""The verdict of one pair of answers: transport, status, headers, cookies, decoding, body, in this order.

A status that differs unexplained is one difference and the end: what follows would only repeat it. Nothing a body holds raises:
a bound that is hit makes the pair inconclusive, and a candidate's body that is not what it says is a difference at `$`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from differ.atoms import header_differences
from differ.body import BodyComparison, BodyResult, PrimaryInvalid, kind_of
from differ.budget import LimitHit
from differ.cookies import compare_cookies
from differ.decode import CutShort, Undecodable, codings_of, undo
from differ.explains import Correlations
from differ.facts import Atom, Difference, Judgement, Masked
from differ.findings import Findings
from differ.headers import Fields, HeaderComparison, content_type, differing, joined
from differ.in_force import InForce, in_force
from differ.json_exact import InvalidJson, parse_one
from differ.media_types import media_form
from differ.validation_errors import drf_fields, field_differences, fingerprint
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
    matching: set[str] | None = None,
) -> Judgement:
    """The judgement of one pair of answers to `request`; never raises on hostile answers.

    `identity_headers` are lower-case names of headers that are not compared. `correlations` carries `correlate` rules' ids over
    a run; without it they hold within this pair. `matching` is given the names of all live rules that would explain some
    difference, not only of those that are named.
    """
    if isinstance(primary, Failure):
        return _inconclusive(f"the primary gave no answer: {primary.reason}")
    if primary.truncated or (isinstance(candidate, Response) and candidate.truncated):
        return _inconclusive(f"the {'primary' if primary.truncated else 'candidate'}'s body was cut by the capture")
    if isinstance(candidate, Failure):
        atom = Atom(route, f"{primary.status}/-", "transport", "$", candidate.reason)
        return Judgement(Verdict.MISMATCH, (Difference(atom, str(primary.status), None, "$", candidate.detail[:200]),))
    if primary.status == candidate.status and primary.body == candidate.body and primary.headers == candidate.headers:
        return _MATCH
    fields = joined(primary.headers)
    force = in_force(rules, request, route, primary.status, content_type(fields).partition(";")[0].strip().lower(), today)
    sides = (_Side(primary, fields), _Side(candidate, joined(candidate.headers)))
    pair = _Pair(request, route, *sides, force, correlations or Correlations(), identity_headers, matching)
    try:
        return pair.judge()
    except (LimitHit, CutShort, PrimaryInvalid) as limit:
        return _inconclusive(str(limit))
    except (RecursionError, MemoryError) as error:
        return _inconclusive(f"the interpreter's own limit was hit ({type(error).__name__})")


_MATCH = Judgement(Verdict.MATCH)


def _inconclusive(reason: str) -> Judgement:
    return Judgement(Verdict.INCONCLUSIVE, reason=reason)


@lru_cache(maxsize=512)
def _kind(content_type: str) -> str:
    return kind_of(media_form(content_type)[0])


MAX_EMPTY = 64
"""Bytes of a coded body that may be an empty one."""


class _Side:
    """One answer, its headers read once."""

    def __init__(self, answer: Response, fields: Fields) -> None:
        self.status, self.body, self.headers = answer.status, answer.body, answer.headers
        self.fields = fields
        self.codings = codings_of(fields.get(b"content-encoding", b""))

    def decoded(self, limits: Limits) -> bytes:
        return undo(self.body, self.codings, limits.body)

    def empty(self, limits: Limits) -> bool:
        """Whether there is nothing in the body once it is decoded."""
        try:
            return not self.body or (bool(self.codings) and len(self.body) <= MAX_EMPTY and not self.decoded(limits))
        except (Undecodable, CutShort):
            return False

    def document(self, limits: Limits) -> Any:
        """The JSON document of the body, or None where there is none to be had."""
        try:
            document = parse_one(self.decoded(limits), limits)
        except (Undecodable, CutShort, InvalidJson, LimitHit):
            return None
        return None if document.duplicates else document.value


@dataclass
class _Pair:
    request: Request
    route: str
    primary: _Side
    candidate: _Side
    force: InForce
    correlations: Correlations
    identity: frozenset[str]
    matching: set[str] | None = None
    differences: list[Difference] = field(default_factory=list)
    applied: set[str] = field(default_factory=set)
    truncated: bool = False
    relations: list[str] = field(default_factory=list)
    masked: list[Masked] = field(default_factory=list)

    @property
    def statuses(self) -> str:
        return f"{self.primary.status}/{self.candidate.status}"

    def judge(self) -> Judgement:
        if self.primary.status != self.candidate.status and not self._status_explained():
            self.differences.append(self._status_difference())
            return self._judgement()
        bodiless = self.request.method == "HEAD" or self.primary.status in (204, 304)
        limits = self.force.rules.limits
        neither = self.request.method != "HEAD" and self.primary.empty(limits) and self.candidate.empty(limits)
        self._headers(neither or self.primary.status in (204, 304))
        if not bodiless:
            self._body()
        return self._judgement()

    def _judgement(self) -> Judgement:
        tolerated = tuple(sorted(self.applied))
        if self.matching is not None:
            self.matching |= self.applied
        reason = "; ".join(self.relations)
        limit = self.force.rules.limits.diffs
        if self.differences:
            truncated = self.truncated or len(self.differences) > limit
            return Judgement(
                Verdict.MISMATCH, tuple(self.differences[:limit]), tolerated, reason, truncated, tuple(self.masked)
            )
        verdict = Verdict.TOLERATED if tolerated else Verdict.MATCH
        return Judgement(verdict, (), tolerated, reason, masked=tuple(self.masked))

    def _status_explained(self) -> bool:
        for rule in self.force.for_target("status"):
            if rule.action == "map" and self.primary.status in rule.primary and self.candidate.status in rule.candidate:
                if rule.builtin == "slash-redirect" and not self._only_a_slash():
                    continue
                self.applied.add(rule.called)
                return True
        return self._same_refusal()

    def _only_a_slash(self) -> bool:
        """Whether the primary redirects to the path that was asked, but for a slash at its end; the candidate's target is compared."""
        location = self.primary.fields.get(b"location", b"").decode("latin-1")
        path = re.sub(r"^[a-z]+://[^/?#]*", "", location, flags=re.IGNORECASE).partition("?")[0].partition("#")[0]
        asked = self.request.target.partition(b"?")[0].decode("latin-1")
        return path.startswith("/") and path.rstrip("/") == asked.rstrip("/")

    def _same_refusal(self) -> bool:
        """400 and 422 are one status where the preset holds and both bodies have the shape of refused fields."""
        rule = self.force.builtin("drf-fastapi-errors")
        if rule is None or (self.primary.status, self.candidate.status) != (400, 422) or self.force.exact("status"):
            return False
        documents = [side.document(self.force.rules.limits) for side in (self.primary, self.candidate)]
        if None in documents or field_differences(documents[0], documents[1], not self.request.body) is None:
            return False
        if drf_fields(documents[0]) is None:  # a text in `detail` beside an error of the path is 404's matter
            return False
        self.applied.add(rule.called)
        return True

    def _status_difference(self) -> Difference:
        note = ""
        for rule in self.force.for_target("status", expired=True):
            if self.primary.status in rule.primary and self.candidate.status in rule.candidate:
                note = f"expired:{rule.called}"
        kind = fingerprint(self.candidate.status, self.candidate.document(self.force.rules.limits))
        atom = Atom(self.route, self.statuses, "status", "status", "value", kind)
        return Difference(atom, str(self.primary.status), str(self.candidate.status), "status", note)

    def _headers(self, bodiless: bool) -> None:
        ours, theirs = self.primary, self.candidate
        if ours.headers == theirs.headers:
            return
        names = differing(ours.fields, theirs.fields, self.identity)
        if names or ours.codings or theirs.codings:
            findings = Findings()
            headers = HeaderComparison(self.force, findings, self.correlations, self.identity, self.matching)
            headers.compare(names, ours.fields, theirs.fields, self.request, bodiless)
            self._found("header", findings)
        if "set-cookie" not in self.identity and (b"set-cookie" in ours.fields or b"set-cookie" in theirs.fields):
            findings = Findings()
            compare_cookies(ours.headers, theirs.headers, self.force, findings, self.correlations, self.matching)
            self._found("cookie", findings)

    def _found(self, aspect: str, findings: Findings) -> None:
        self.differences += header_differences(findings, self.route, self.statuses, aspect)
        self.applied |= findings.applied

    def _body(self) -> None:
        same = self.primary.body == self.candidate.body and self.primary.codings == self.candidate.codings
        if same and b"boundary" not in self.primary.fields.get(b"content-type", b"").lower():
            return
        empty = not self.request.body
        comparison = BodyComparison(
            self.force, self.route, self.primary.status, self.statuses, self.correlations, empty, self.matching
        )
        limits = self.force.rules.limits
        try:
            ours = self.primary.decoded(limits)
        except Undecodable as error:
            raise PrimaryInvalid(f"the primary: {error}") from error
        try:
            theirs = self.candidate.decoded(limits)
        except Undecodable as error:
            self._take(comparison.whole("invalid", "", ours, self.candidate.body, str(error)))
            return
        kinds, types = self._kinds()
        if ours == theirs and kinds != ("multipart", "multipart"):
            return
        if kinds[0] != kinds[1]:
            if any(difference.atom.path == "content-type" for difference in self.differences):
                return  # the media type is the difference: comparing a page with a document says no more
            documents = [side.document(self.force.rules.limits) for side in (self.primary, self.candidate)]
            kinds = ("json", "json") if None not in documents else ("text", "text")
        self._take(comparison.compare(ours, theirs, kinds[0], types))

    def _kinds(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """How each body is compared, and its content type: a side without a media type or a body is taken for what the other one is."""
        sides = (self.primary, self.candidate)
        types = [content_type(side.fields) for side in sides]
        for at, other in ((0, 1), (1, 0)):
            if not types[at] or not sides[at].body:
                types[at] = types[other] or types[at]
        kinds = [_kind(value) for value in types]
        return (kinds[0], kinds[1]), (types[0], types[1])

    def _take(self, result: BodyResult) -> None:
        self.differences += result.differences
        self.applied |= result.applied
        self.truncated = self.truncated or result.truncated
        self.relations += result.relations
        self.masked += result.masked
