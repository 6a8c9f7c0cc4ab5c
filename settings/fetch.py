"""Fetches a small document over HTTP within a deadline that nothing stretches: not even a server that drips byte after byte."""

from __future__ import annotations

import threading
import time

import httpx


class FetchError(Exception):
    """The document could not be had; the text says why."""


def fetch(url: str, most_bytes: int, deadline_s: float) -> bytes:
    """The body of a successful answer. Raises FetchError after `deadline_s` at the latest, or for more than `most_bytes`.

    httpx's own timeouts are for one operation each, so the whole runs in a thread that is left behind when it takes too long: its
    connection is closed under it.
    """
    client = httpx.Client(trust_env=False, timeout=deadline_s, follow_redirects=False)
    ends = time.monotonic() + deadline_s
    found: list[bytes | Exception] = []

    def work() -> None:
        try:
            found.append(_read(client, url, most_bytes, ends))
        except Exception as error:
            # What fails once the time is over fails because of it: httpx's own limit, or the connection that was closed under it.
            found.append(error if time.monotonic() < ends else TimeoutError())

    thread = threading.Thread(target=work, name="fetch", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if not thread.is_alive() or found:
        client.close()
    else:
        threading.Thread(target=client.close, name="fetch-close", daemon=True).start()
    outcome = found[0] if found else TimeoutError()
    if isinstance(outcome, bytes):
        return outcome
    if isinstance(outcome, TimeoutError):
        raise FetchError(f"not complete within {deadline_s:g} s")
    raise FetchError(str(outcome) or type(outcome).__name__) from outcome


def _read(client: httpx.Client, url: str, most_bytes: int, ends: float) -> bytes:
    with client.stream("GET", url) as response:
        response.raise_for_status()
        text = bytearray()
        for piece in response.iter_bytes():
            text += piece
            if len(text) > most_bytes:
                raise FetchError(f"larger than {most_bytes} bytes")
            if time.monotonic() > ends:
                raise TimeoutError
        return bytes(text)
