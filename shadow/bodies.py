"""The decoded bodies of answers: bounded, and off the event loop where undoing a coding may take long."""

from __future__ import annotations

import asyncio

from differ.decode import decoded_body
from traffic.message import Answer, Response, first_header

DECODED_CAP = 2 * 1024 * 1024
INLINE_CODED = 64 * 1024
"""Coded bytes that are decoded on the event loop."""


def is_coded(answer: Response) -> bool:
    """Whether a content coding is to be undone."""
    return first_header(answer.headers, b"content-encoding") is not None


def live_body(live: Response) -> bytes | None:
    """The decoded body of a live answer as far as it can be had at once; None else."""
    if is_coded(live) and len(live.body) > INLINE_CODED:
        return None
    return decoded_body(live, DECODED_CAP)


async def decoded(answer: Answer) -> bytes | None:
    """The decoded body of an answer; None for a failure and for what cannot be decoded within the cap."""
    if not isinstance(answer, Response):
        return None
    if is_coded(answer) and len(answer.body) > INLINE_CODED:
        return await asyncio.to_thread(decoded_body, answer, DECODED_CAP)
    return decoded_body(answer, DECODED_CAP)
