"""[R-TRA-3] Real client libraries see the same of httpbin without and with the proxy: sessions, redirects, cookies, uploads, streams."""

from __future__ import annotations

import asyncio
import http.client
import importlib.util
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import requests

from tests.transparency.test_httpbin import httpbin as httpbin

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("httpbin") is None, reason="httpbin cannot be installed beside playwright on Python 3.11"
)


def _pieces() -> Iterator[bytes]:
    for number in range(20):
        yield b"piece %d;" % number


def _session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    return made


def _redirects(base: str) -> Any:
    with _session() as session:
        answer = session.get(f"{base}/redirect/4", headers={"Host": "shop.test"})
        bare = session.get(f"{base}/redirect-to?url=/get&status_code=308", allow_redirects=False)
        return len(answer.history), answer.status_code, bare.status_code, bare.headers["Location"]


def _cookies(base: str) -> Any:
    with _session() as session:
        session.get(f"{base}/cookies/set?a=1&b=two")
        session.get(f"{base}/cookies/delete?a")
        return session.get(f"{base}/cookies").json(), session.cookies.get_dict()


def _digest(base: str) -> Any:
    with _session() as session:
        session.auth = requests.auth.HTTPDigestAuth("u", "p")
        found = [session.get(f"{base}/digest-auth/{quality}/u/p").status_code for quality in ("auth", "auth-int")]
        return found, session.get(f"{base}/digest-auth/auth/u/wrong").status_code


def _uploads(base: str) -> Any:
    with _session() as session:
        form = session.post(f"{base}/post", data={"a": ["1", "2"]}, files={"f": ("n.bin", b"\x00\xff" * 50_000)}).json()
        stream = session.post(f"{base}/post", data=_pieces(), headers={"Content-Type": "text/plain"}).json()
        empty = session.put(f"{base}/put").json()
        large = session.post(f"{base}/post", data=io.BytesIO(b"z" * 3_000_000)).json()
        return form["form"], form["files"], stream["data"], empty["data"], len(large["data"])


def _downloads(base: str) -> Any:
    with _session() as session:
        lines = list(session.get(f"{base}/stream/15", stream=True).iter_lines())
        pieces = b"".join(session.get(f"{base}/stream-bytes/90000?seed=3", stream=True).iter_content(1000))
        raw = session.get(f"{base}/gzip", stream=True).raw.read(decode_content=False)[:4]
        ranged = session.get(f"{base}/range/500", headers={"Range": "bytes=100-149"})
        return len(lines), pieces, raw, ranged.content, ranged.headers["Content-Range"]


def _reuse(base: str) -> Any:
    address = base.removeprefix("http://")
    client = http.client.HTTPConnection(address)
    found = []
    for path in ("/get", "/status/204", "/bytes/10?seed=1", "/status/304", "/stream/3", "/get"):
        client.request("GET", path)
        answer = client.getresponse()
        found.append((answer.status, answer.reason, len(answer.read()) > 0))
    client.close()
    return found


def _pool(base: str) -> Any:
    with _session() as session, ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda i: session.get(f"{base}/anything/{i}").json()["url"].rpartition("/")[2], range(60)))
    return answers


def _asynchronous(base: str) -> Any:
    async def ask() -> Any:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
            answers = await asyncio.gather(*(client.get(f"{base}/anything?n={i}") for i in range(20)))
            heads = await client.head(f"{base}/get"), await client.options(f"{base}/get"), await client.delete(f"{base}/delete")
            return [answer.json()["args"] for answer in answers], [head.status_code for head in heads]

    return asyncio.run(ask())


JOURNEYS = [_redirects, _cookies, _digest, _uploads, _downloads, _reuse, _pool, _asynchronous]


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: journey.__name__.strip("_"))
def test_a_client_library_notices_nothing(httpbin: int, stage: Any, journey: Callable[[str], Any]) -> None:
    """[R-TRA-3] What the library's user gets is equal."""

    async def scenario() -> None:
        async with stage(primary={"url": f"http://127.0.0.1:{httpbin}"}) as s:
            direct = await asyncio.to_thread(journey, f"http://127.0.0.1:{httpbin}")
            proxied = await asyncio.to_thread(journey, f"http://127.0.0.1:{s.port}")
            assert proxied == direct

    asyncio.run(scenario())
