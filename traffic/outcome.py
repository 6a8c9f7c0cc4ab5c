"""The closed sets of outcomes and reasons, as design and `status --json` print them. Never rename: users rely on them."""

from __future__ import annotations

from enum import StrEnum


class Refused(StrEnum):
    """Why a client got no backend's complete answer."""

    MALFORMED = "malformed"
    HEADER_LIMIT = "header_limit"
    OVERLOAD = "overload"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    CLIENT_GONE = "client_gone"
    DRAINING = "draining"
    PROXY_DIED = "proxy_died"


class Skipped(StrEnum):
    """Why a request was not mirrored."""

    UNSAFE_METHOD = "unsafe_method"
    EXCLUDED = "excluded"
    SAMPLED_OUT = "sampled_out"
    TOO_LARGE = "too_large"
    STREAMING = "streaming"
    UPGRADED = "upgraded"
    LIVE_REFUSED = "live_refused"
    LIVE_ERROR = "live_error"
    CLIENT_GONE = "client_gone"
    INCOMPLETE = "incomplete"
    BREAKER_OPEN = "breaker_open"
    QUEUE_FULL = "queue_full"
    LANE_FULL = "lane_full"
    RATE_LIMITED = "rate_limited"
    UNSENDABLE = "unsendable"
    PAUSED = "paused"
    DRAINING = "draining"
    LOOP = "loop"
    PROXY_DIED = "proxy_died"


class CandidateError(StrEnum):
    """Why the candidate gave no complete answer. A complete 5xx answer is compared instead."""

    REFUSED = "refused"
    RESET = "reset"
    TIMEOUT = "timeout"
    OVERSIZE = "oversize"
    PROTOCOL = "protocol"


class Lost(StrEnum):
    """Why a mirrored exchange was never judged."""

    WORKER_DIED = "worker_died"
    QUEUE_DIED = "queue_died"
    STORE_FAILED = "store_failed"
    DIFFER_FAILED = "differ_failed"


class Verdict(StrEnum):
    """The judgement of one compared exchange, by role and not by side."""

    MATCH = "match"
    TOLERATED = "tolerated"
    MISMATCH = "mismatch"
    NOISE = "noise"
    RACED = "raced"
    INCONCLUSIVE = "inconclusive"
    CASCADE = "cascade"


class Ending(StrEnum):
    """The ways an exchange can leave `pending`."""

    COMPARED = "compared"
    CANDIDATE_ERROR = "candidate_error"
    LOST = "lost"
    SKIPPED = "skipped"


ENDING_REASONS: dict[Ending, tuple[str, ...]] = {
    Ending.COMPARED: tuple(Verdict),
    Ending.CANDIDATE_ERROR: tuple(CandidateError),
    Ending.LOST: tuple(Lost),
    Ending.SKIPPED: tuple(Skipped),
}
