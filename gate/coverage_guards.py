"""The guards that ask whether the evidence is of all of the route's traffic: kinds of requests, statuses, hours of the week, clients.

Same form and same law as in `guards`. A shape is a kind of request (gate.units.shape_of). The catalogue of shapes describes the traffic
and survives builds; what was compared of each belongs to the epoch.
"""

from __future__ import annotations

from itertools import pairwise

from gate.discovery import is_covered, unseen_upper
from gate.facts import Evidence, Guard, RouteStanding, ShapeEvidence
from gate.guards import is_count
from gate.parity import parity_verdict
from gate.policy import Policy
from gate.wording import count_text, percent_text

SHAPE_PARITY, CLASS_PARITY, FLOOR_ALPHA = 0.95, 0.99, 0.05
"""What a shape and a status class must reach: without a mismatch the floors say so, with some the same claim as `parity` makes."""
_LISTED = 3


def unseen(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Hardly any traffic has a shape that was never seen."""
    seen, limit, blocking = evidence.coverage, policy.unseen, policy.coverage_required
    threshold = f"< {percent_text(limit)} of the traffic of unseen shapes"
    if not _usable(evidence):
        return Guard("coverage unseen", None, "no request yet", threshold, "nothing has been seen of the traffic yet", blocking)
    upper = unseen_upper(seen.discovered, seen.requests, limit, policy.coverage_delta, seen.other)
    figure = f"{count_text(len(seen.discovered), 'shape')} in {count_text(seen.requests, 'request')}, at most {percent_text(upper)} unseen"
    if is_covered(seen.discovered, seen.requests, limit, policy.coverage_delta, untold=seen.other):
        return Guard("coverage unseen", True, figure, threshold, "", blocking)
    missing = "more traffic needed without a new shape"
    if seen.other:
        missing += f"; {count_text(seen.other, 'request')} had shapes beyond the bound, which stay unseen"
    return Guard("coverage unseen", None, figure, threshold, missing, blocking)


def shapes(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Of each frequent shape enough was compared, and together they are nearly all of the traffic."""
    share, floor, blocking = policy.shape_share, policy.per_shape, policy.coverage_required
    threshold = (
        f">= {count_text(floor, 'unit')} of each shape with {percent_text(share)} of the traffic, "
        f"and of >= {percent_text(policy.covered_traffic)} in all"
    )
    if not _usable(evidence):
        return Guard("coverage shapes", None, "no request yet", threshold, "nothing has been seen of the traffic yet", blocking)
    requests = evidence.coverage.requests
    done = [shape for shape in evidence.coverage.shapes if _reached(shape.n, shape.k, floor, SHAPE_PARITY)]
    covered = sum(shape.seen for shape in done) / requests
    lacking = [shape for shape in evidence.coverage.shapes if shape not in done and shape.seen >= share * requests]
    figure = f"{len(done)} of {count_text(len(evidence.coverage.shapes), 'shape')}, {percent_text(covered)} of the traffic"
    if evidence.coverage.other:
        figure += f"; {percent_text(evidence.coverage.other / requests)} of shapes beyond the bound"
    if not lacking and covered >= policy.covered_traffic:
        return Guard("coverage shapes", True, figure, threshold, "", blocking)
    broken = [shape for shape in lacking if _refuted(shape.n, shape.k, SHAPE_PARITY)]
    named = "; ".join(
        f"{shape.text or shape.shape}: {shape.n} compared, {shape.k} mismatched" for shape in (broken or lacking)[:_LISTED]
    )
    more = f" and {len(lacking) - _LISTED} more" if len(lacking) > _LISTED and not broken else ""
    missing = (named + more) if lacking else "rare shapes are together too much of the traffic: compare more of them"
    return Guard("coverage shapes", False if broken else None, figure, threshold, missing, blocking)


def statuses(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """Of each class of the primary's statuses enough was compared. Requests that it did not answer have none."""
    blocking = policy.coverage_required
    threshold = (
        f">= {count_text(policy.per_status_class, 'unit')} of each class with {percent_text(policy.class_share)}, 1 of others"
    )
    if not _usable(evidence):
        return Guard("coverage status", None, "no request yet", threshold, "nothing has been seen of the traffic yet", blocking)
    classes = by_class(evidence.coverage.shapes)
    figure = ", ".join(f"{number}xx: {n:,} compared" for number, (_, n, _) in sorted(classes.items())) or "none"
    lacking, broken = [], False
    for number, (seen, n, k) in sorted(classes.items()):
        floor = policy.per_status_class if seen >= policy.class_share * evidence.coverage.requests else 1
        if not _reached(n, k, floor, CLASS_PARITY):
            lacking.append(f"{number}xx: {n} compared of {floor}, {k} mismatched")
            broken = broken or _refuted(n, k, CLASS_PARITY)
    if not lacking:
        return Guard(
            "coverage status", True if classes else None, figure, threshold, "" if classes else "no status seen yet", blocking
        )
    return Guard("coverage status", False if broken else None, figure, threshold, "; ".join(lacking), blocking)


def week(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The hours of the week that have traffic have evidence: a fault of the weekend shows at the weekend."""
    threshold = f">= {percent_text(policy.week_share)} of the week's traffic in hours with evidence"
    share, blocking = evidence.week_share, policy.week_share > 0.0
    if share is None or not 0.0 <= share <= 1.0:
        return Guard("week", None, "unknown", threshold, "the traffic of the week is not known yet", blocking)
    if share >= policy.week_share:
        return Guard("week", True, percent_text(share), threshold, "", blocking)
    return Guard("week", None, percent_text(share), threshold, "hours of the week with traffic lack evidence", blocking)


def diversity(evidence: Evidence, standing: RouteStanding, policy: Policy, now: float) -> Guard:
    """The evidence is not one client's, and not one request's."""
    limits = (policy.max_share_client, policy.max_share_request)
    threshold = f"<= {percent_text(limits[0])} of one client, <= {percent_text(limits[1])} of one request"
    n = evidence.n
    if not is_count(n) or not is_count(evidence.top_client) or not is_count(evidence.top_request) or n == 0:
        return Guard("diversity", None, "no unit yet", threshold, "nothing has been compared in this epoch yet")
    if (evidence.top_client == 0 and limits[0] < 1.0) or (evidence.top_request == 0 and limits[1] < 1.0):
        return Guard("diversity", None, "unknown", threshold, "whose units these are was not counted")
    shares = tuple(min(1.0, top / n) for top in (evidence.top_client, evidence.top_request))
    figure = f"at most {percent_text(shares[0])} of one client, {percent_text(shares[1])} of one request"
    over = [name for name, share, limit in zip(("client", "request"), shares, limits, strict=True) if share > limit]
    if not over:
        return Guard("diversity", True, figure, threshold)
    return Guard("diversity", None, figure, threshold, f"evidence of other {' and '.join(f'{name}s' for name in over)} needed")


def _usable(evidence: Evidence) -> bool:
    """Whether there is a catalogue, and its figures fit together."""
    seen = evidence.coverage
    counts = (seen.requests, seen.other, *(count for shape in seen.shapes for count in (shape.seen, shape.n, shape.k)))
    if not all(map(is_count, counts)) or seen.requests == 0:
        return False
    found = seen.discovered
    rising = all(one < other for one, other in pairwise(found))
    # Each shape was brought by one request, the first of all by the first, unless that was beyond the bound.
    each = len(found) == len(seen.shapes) > 0 and found[0] >= 1 and found[-1] <= seen.requests
    each = each and (found[0] == 1 or seen.other > 0)
    compared = all(shape.k <= shape.n <= shape.seen for shape in seen.shapes)
    return rising and each and compared and sum(shape.seen for shape in seen.shapes) + seen.other <= seen.requests


def _reached(n: int, k: int, floor: int, parity: float) -> bool:
    return n >= floor and (k == 0 or parity_verdict(min(k, n), n, parity, FLOOR_ALPHA) == "pass")


def _refuted(n: int, k: int, parity: float) -> bool:
    return parity_verdict(min(k, n), n, parity, FLOOR_ALPHA) == "fail"


def by_class(found: tuple[ShapeEvidence, ...]) -> dict[int, tuple[int, int, int]]:
    """(seen, n, k) of each class of the primary's statuses. What it did not answer has none, and cannot be compared."""
    classes: dict[int, tuple[int, int, int]] = {}
    for shape in found:
        if shape.status_class == 0:
            continue
        seen, n, k = classes.get(shape.status_class, (0, 0, 0))
        classes[shape.status_class] = (seen + shape.seen, n + shape.n, k + shape.k)
    return classes
