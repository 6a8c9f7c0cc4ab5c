"""Asks the candidate's version URL which build runs: within a deadline, and never for more than a small body."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from traffic.build import BuildError, build_name

DEADLINE_S = 2.0
MOST_BYTES = 64 * 1024
KEYS = ("build", "sha", "commit", "revision", "version")
"""Where a JSON object names the build; the first of them that is there counts."""


class VersionError(Exception):
    """The version URL does not name a build; the text says why. It holds nothing of the body."""


class VersionUrl:
    """One URL and its own connection, kept open between questions."""

    def __init__(self, url: str, deadline_s: float = DEADLINE_S) -> None:
        self._url, self._deadline_s = url, deadline_s
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=deadline_s)

    async def ask(self) -> str:
        """The build that answers there now. Raises VersionError, after the deadline at the latest."""
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._ask()
        except TimeoutError as error:
            raise VersionError(f"{self._url}: no complete answer within {self._deadline_s:g} s") from error
        except httpx.HTTPError as error:
            if isinstance(error, httpx.TimeoutException):
                raise VersionError(f"{self._url}: no complete answer within {self._deadline_s:g} s") from error
            raise VersionError(f"{self._url}: {str(error) or type(error).__name__}") from error

    async def _ask(self) -> str:
        async with self._client.stream("GET", self._url, headers={"Accept": "application/json, text/plain"}) as response:
            if response.status_code != 200:
                raise VersionError(f"{self._url}: answers with status {response.status_code}, 200 is expected")
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise VersionError(f"{self._url}: answers more than {MOST_BYTES} bytes; a version is short")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            return named_in(bytes(body), kind)
        except BuildError as error:
            raise VersionError(f"{self._url}: {error}") from error

    async def close(self) -> None:
        """Closes the connection."""
        await self._client.aclose()


def named_in(body: bytes, kind: str) -> str:
    """The build that a body names: JSON (a string, or an object with one of KEYS) or one line of text. Raises BuildError.

    A page is refused: it is what single-page applications answer to a path they do not know, and would be a build for ever.
    """
    try:
        text = body.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise BuildError("the answer is not UTF-8 text") from error
    if kind == "application/json" or kind.endswith("+json") or text[:1] in ("{", '"', "["):
        return build_name(_in_json(text))
    if "html" in kind or text[:1] == "<":
        raise BuildError("the answer is a page, and no version: is the path right?")
    if "\n" in text:
        raise BuildError("the answer has several lines: a version is one")
    return build_name(text)


def _in_json(text: str) -> str:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BuildError("the answer is not JSON") from error
    if isinstance(found, dict):
        found = next((found[key] for key in KEYS if isinstance(found.get(key), str | int) and found[key] != ""), None)
        if found is None:
            raise BuildError(f"the JSON object names no build: one of {', '.join(KEYS)} is expected, as text")
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise BuildError(f"the JSON is neither a text nor an object with one of {', '.join(KEYS)}")
    return str(found)
