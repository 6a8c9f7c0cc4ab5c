"""The gate's answers for deployment controllers: Argo Rollouts' `web` metric and Flagger's confirm-promotion webhook, over the listener."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cli.gate import gate_answer
from proxy.flagger import MAX_CALL, MOST_ROUTES, CallError, routes_in, said
from settings.gate_token import gate_token
from settings.keyfile import make_key
from settings.load import load_settings
from store.database import open_store
from tests.one_process import serve

DOC = Path(__file__).parents[2] / "docs" / "gate.md"
TOKEN = "a-token-that-nobody-guesses-0123"
ROUTE, ENCODED = "GET /items/{id}", "GET%20%2Fitems%2F%7Bid%7D"
ANSWERS: dict[str, tuple[int, dict[str, Any]]] = {
    "GET /good": (200, {"route": "GET /good", "verdict": "pass", "reasons": ["every guard holds"]}),
    "GET /bad": (409, {"route": "GET /bad", "verdict": "fail", "reasons": ["parity: too many", "locked: since noon"]}),
    "GET /young": (409, {"route": "GET /young", "verdict": "undecided", "reasons": ["span: 6 d more"]}),
    "GET /none": (404, {"error": "no such route"}),
    "GET /lost": (503, {"error": "the store is gone"}),
}


@asynccontextmanager
async def asked(stage: Any, folder: Path, judge: Any = None, **proxy: Any) -> AsyncIterator[Any]:
    """A proxy with a gate; by default one that answers from ANSWERS."""

    def scripted(route: str, known: Collection[str]) -> tuple[int, dict[str, Any]]:
        return ANSWERS[route]

    async with stage(proxy=proxy) as s:
        await s.admin("POST", "/drain", headers={"Authorization": f"Bearer {TOKEN}"})
        await asyncio.wait([s.task], timeout=10)
        ready = asyncio.Event()
        task = asyncio.get_running_loop().create_task(serve(s.settings, s.key, ready.set, judge or scripted))
        await asyncio.wait_for(ready.wait(), 10)
        try:
            yield s
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=10)


def call(**metadata: Any) -> dict[str, Any]:
    """What Flagger posts."""
    return {"name": "shop", "namespace": "prod", "phase": "Progressing", "checksum": "85d557f47b", "metadata": metadata}


def fenced(kind: str) -> dict[str, Any]:
    """The YAML of that kind in the documentation."""
    blocks = DOC.read_text(encoding="utf-8").split("```yaml\n")[1:]
    found = [yaml.safe_load(block.partition("```")[0]) for block in blocks]
    return next(block for block in found if block["kind"] == kind)


def test_argo_gets_every_verdict_with_200_and_what_is_no_verdict_with_none(stage: Any, folder: Path) -> None:
    """Argo reads the body of a 2xx only, and counts any other status as an error, never as a success."""
    expected = {
        "good": (200, "pass"),
        "bad": (200, "fail"),
        "young": (200, "undecided"),
        "none": (404, None),
        "lost": (503, None),
    }

    async def scenario() -> None:
        async with asked(stage, folder) as s:
            for route, answered in expected.items():
                answer = await s.admin("GET", f"/argo/GET%20%2F{route}")
                assert (answer.status_code, answer.json().get("verdict")) == answered
                plain = await s.admin("GET", f"/gate/GET%20%2F{route}")
                assert plain.status_code == ANSWERS[f"GET /{route}"][0]
                assert plain.json() == answer.json()

    asyncio.run(scenario())


def test_flagger_goes_on_only_when_every_route_passes(stage: Any, folder: Path) -> None:
    calls: list[tuple[dict[str, Any], int, str]] = [
        ({"route": "GET /good"}, 200, "GET /good: pass\n"),
        ({"route": "GET /bad"}, 409, "GET /bad: fail: parity: too many; locked: since noon\n"),
        ({"routes": "GET /good\n\n  GET /young\n"}, 409, "GET /good: pass\nGET /young: undecided: span: 6 d more\n"),
        (
            {"route": "GET /good", "routes": "GET /good\nGET /lost"},
            503,
            "GET /good: pass\nGET /lost: no verdict: the store is gone\n",
        ),
        ({"route": "GET /none"}, 404, "GET /none: no verdict: no such route\n"),
        ({}, 400, "the webhook's metadata names no route: give metadata"),
        ({"route": 7}, 400, "metadata.route is no text"),
    ]

    async def scenario() -> None:
        async with asked(stage, folder) as s:
            for metadata, status, text in calls:
                answer = await s.admin("POST", "/flagger", json=call(**metadata))
                assert (answer.status_code, answer.text[: len(text)]) == (status, text)
            assert (await s.admin("GET", "/flagger")).status_code == 405

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"[" * 20_000, "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "no metadata"),
        (b'{"metadata": null}', "no metadata"),
        (b'{"metadata": ["GET /a"]}', "no metadata"),
        (json.dumps(call(routes="\n".join(f"GET /{n}" for n in range(MOST_ROUTES + 1)))).encode(), f"at most {MOST_ROUTES}"),
    ],
)
def test_a_call_that_is_none_of_flagger_s_is_refused_with_a_sentence(body: bytes, sentence: str) -> None:
    with pytest.raises(CallError, match=sentence):
        routes_in(body)


def test_a_long_answer_is_cut_and_no_answer_is_no_pass() -> None:
    """The text becomes an event of the cluster; a call without an answer must never read as 200."""
    text, status = said([(f"GET /{n}", 409, {"verdict": "fail", "reasons": ["x" * 100]}) for n in range(50)])
    assert (status, len(text)) == (409, 2_001)
    assert said([])[1] == 400


def test_a_body_over_the_limit_is_refused_before_it_is_read_whole(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with asked(stage, folder) as s:
            answer = await s.admin("POST", "/flagger", content=b" " * (MAX_CALL + 1))
            assert (answer.status_code, answer.text) == (413, f"a call has at most {MAX_CALL} bytes\n")

    asyncio.run(scenario())


def test_the_gate_s_token_asks_the_gate_and_does_nothing_else(stage: Any, folder: Path) -> None:
    """As a bearer and as Basic's password, which is all that Flagger's URL can carry. Two of them are none."""
    (folder / "admin.token").write_text(TOKEN)
    (folder / "admin.token").chmod(0o600)
    own = gate_token(TOKEN)
    basic = base64.b64encode(f"gate:{own}".encode()).decode()

    async def scenario() -> None:
        async with asked(stage, folder, admin_token_file="admin.token") as s:
            for given in (f"Bearer {own}", f"bearer {own}", f"Basic {basic}", f"Bearer {TOKEN}"):
                headers = {"Authorization": given}
                assert (await s.admin("GET", "/gate/GET%20%2Fgood", headers=headers)).status_code == 200, given
                assert (await s.admin("GET", "/argo/GET%20%2Fbad", headers=headers)).status_code == 200, given
                done = await s.admin("POST", "/flagger", json=call(route="GET /good"), headers=headers)
                assert done.status_code == 200, given
            async with httpx.AsyncClient(trust_env=False) as client:
                url = f"http://gate:{own}@127.0.0.1:{s.admin_port}/flagger"
                assert (await client.post(url, json=call(route="GET /good"))).status_code == 200
                twice = [("Authorization", f"Bearer {own}"), ("Authorization", f"Bearer {own}")]
                assert (await client.post(url.replace(f"gate:{own}@", ""), json=call(), headers=twice)).status_code == 401
            for path, method in (
                ("/status", "GET"),
                ("/metrics", "GET"),
                ("/decisions", "POST"),
                ("/pause", "POST"),
                ("/flaggerx", "POST"),
            ):
                for given in (f"Bearer {own}", f"Basic {basic}"):
                    assert (await s.admin(method, path, headers={"Authorization": given})).status_code == 401, (path, given)
            wrong = [
                {},
                {"Authorization": "Basic !"},
                {"Authorization": f"Basic {own}"},
                {"Authorization": f"Bearer {own[:-1]}"},
            ]
            wrong += [{"Authorization": f"Basic {base64.b64encode(own.encode()).decode()}"}]
            for headers in wrong:
                assert (await s.admin("POST", "/flagger", json=call(), headers=headers)).status_code == 401, headers
            page = {"Authorization": f"Bearer {own}", "Origin": "http://a"}
            assert (await s.admin("POST", "/flagger", json=call(), headers=page)).status_code == 403

    asyncio.run(scenario())


def test_the_yaml_of_the_documentation_agrees_with_what_is_answered(stage: Any, folder: Path) -> None:
    """The documented AnalysisTemplate and Canary, put to a proxy with the real gate over a real store: the path, the value's name, the
    verdicts of the conditions, and the webhook's metadata."""
    argo, flagger = fenced("AnalysisTemplate"), fenced("Canary")
    (metric,) = argo["spec"]["metrics"]
    web = metric["provider"]["web"]
    (hook,) = [one for one in flagger["spec"]["analysis"]["webhooks"] if one["type"] == "confirm-promotion"]
    assert (metric["successCondition"], metric["failureCondition"]) == ('result == "pass"', 'result == "fail"')
    assert web["jsonPath"] == "{$.verdict}"
    assert (metric["count"], metric.get("inconclusiveLimit", 0)) == (1, 0), "else Argo takes undecided for success"
    assert web["timeoutSeconds"] > 10, "the gate itself answers within 10 s"
    assert float(hook["timeout"].removesuffix("s")) > 20

    async def scenario() -> None:
        async with stage() as s:
            config = folder / "paritygate.toml"
            config.write_text('[[route]]\nmatch = "GET /items/{id}"\n[[route]]\nmatch = "POST /items/"\n')
            make_key(folder / "paritygate.key")
            settings = load_settings(config)
            store = open_store(settings.store_url)
            await store.upgrade()
            await store.close()

        async with asked(stage, folder, lambda route, known: gate_answer(settings, route, known)) as s:
            path = httpx.URL(web["url"].replace("{{args.route}}", ENCODED)).raw_path.decode()
            answer = await s.admin("GET", path)
            assert (answer.status_code, answer.json()["verdict"], answer.json()["route"]) == (200, "undecided", ROUTE)
            assert {"parity", "span"} <= {guard["name"] for guard in answer.json()["guards"]}
            wanted = routes_in(json.dumps(call(**hook["metadata"])).encode())
            assert wanted == [ROUTE, "POST /items/"]
            done = await s.admin("POST", httpx.URL(hook["url"]).path, json=call(**hook["metadata"]))
            assert done.status_code == 409
            assert done.text.startswith(f"{ROUTE}: undecided: ")

    asyncio.run(scenario())
