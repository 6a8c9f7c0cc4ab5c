"""The admin listener: who may use it, and what it says of the gate."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.cutover import decide
from cli.gate import gate_answer
from cli.main import run_command
from cli.overview import part_health
from proxy.gate_probe import GateProbe
from settings.admin_token import admin_headers, read_admin_token
from settings.keyfile import make_key
from settings.load import SettingsError, load_settings
from settings.model import Settings
from store.database import open_store
from store.enforced import enforced_numbers
from tests.one_process import serve

TOKEN = "a-token-that-nobody-guesses-0123"
ROUTE = "GET /items/{id}"


def with_token(folder: Path, text: str | bytes = f"{TOKEN}\n") -> dict[str, Any]:
    path = folder / "admin.token"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return {"admin_token_file": "admin.token"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_with_a_token_only_health_and_readiness_are_open(stage: Any, folder: Path) -> None:
    """[T22] Metrics, status, decisions and switches want the token, and a wrong one is as good as none."""

    async def scenario() -> None:
        async with stage(proxy=with_token(folder)) as s:
            assert (await s.admin("GET", "/healthz")).status_code == 200
            assert (await s.admin("GET", "/readyz")).status_code == 200
            closed = [("GET", "/metrics"), ("GET", "/status"), ("GET", "/decisions"), ("GET", "/gate/GET%20%2Fa")]
            closed += [("POST", "/decisions"), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/drain"), ("GET", "/nowhere")]
            wrong = [
                {},
                bearer(TOKEN + "x"),
                bearer(TOKEN[:-1]),
                {"Authorization": "Bearer"},
                {"Authorization": TOKEN},
                {"Authorization": f"Basic {TOKEN}"},
            ]
            for method, path in closed:
                for headers in wrong:
                    answer = await s.admin(method, path, headers=headers)
                    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), (method, path, headers)
            assert (await s.admin("GET", "/status", headers=bearer(TOKEN))).json()["paused"] is False
            assert (await s.admin("GET", "/metrics", headers={"Authorization": f"bearer {TOKEN}"})).status_code == 200
            # A token is proof enough: the listener may be asked by any name. A page's origin is refused as ever.
            assert (await s.admin("GET", "/status", headers={**bearer(TOKEN), "Host": "proxy-1.internal"})).status_code == 200
            assert (await s.admin("GET", "/status", headers={**bearer(TOKEN), "Origin": "http://a"})).status_code == 403

    asyncio.run(scenario())


def test_two_tokens_in_one_request_are_none(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with stage(proxy=with_token(folder)) as s, httpx.AsyncClient(trust_env=False) as client:
            headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
            answer = await client.get(f"http://127.0.0.1:{s.admin_port}/status", headers=headers)
            assert answer.status_code == 401

    asyncio.run(scenario())


def test_readiness_tells_strangers_no_details(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        async with stage(proxy=with_token(folder), store={"url": "sqlite+aiosqlite:////no/such/folder/secret-name.db"}) as s:
            async with asyncio.timeout(10):
                while (await s.admin("GET", "/readyz")).json()["store"] == "ok":
                    await asyncio.sleep(0.05)
            assert (await s.admin("GET", "/readyz")).json()["store"] == "unreadable"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no such file; make one with"),
        ("", "its first line is empty"),
        ("\nsecond line has it-0123456789\n", "its first line is empty"),
        ("short\n", "at least 16 printable signs"),
        ("has blanks in it 0123456789\n", "no spaces"),
        (b"\xff" * 32, "ASCII"),
    ],
)
def test_a_token_file_that_holds_none_keeps_the_proxy_from_starting(folder: Path, text: Any, sentence: str) -> None:
    proxy = with_token(folder, text) if text is not None else {"admin_token_file": "admin.token"}
    settings = Settings(proxy=proxy).located(folder, None)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=sentence) as caught:
        asyncio.run(serve(settings, b"k" * 32, lambda: None))
    assert str(caught.value).startswith(f"[proxy] admin_token_file: {folder / 'admin.token'}: ")


def test_a_token_file_that_others_may_read_is_a_warning(folder: Path) -> None:
    settings = Settings(proxy=with_token(folder)).located(folder, None)  # type: ignore[arg-type]
    warnings: list[str] = []
    assert read_admin_token(settings, warnings) == TOKEN
    assert warnings == []
    (folder / "admin.token").chmod(0o644)
    assert read_admin_token(settings, warnings) == TOKEN
    assert warnings == [
        f"[proxy] admin_token_file: {folder / 'admin.token'}: others may use this file (mode 0644); chmod 600 it"
    ]
    assert admin_headers(settings) == bearer(TOKEN)


def configured(folder: Path, s: Any) -> Settings:
    """The stage's configuration as a file, for commands."""
    config = folder / "paritygate.toml"
    config.write_text(
        f"[primary]\nurl = {s.settings.primary.url!r}\n[candidate]\nurl = {s.settings.candidate.url!r}\n"
        f"[proxy]\nlisten = {s.settings.proxy.listen!r}\nadmin = {s.settings.proxy.admin!r}\n"
        'admin_token_file = "admin.token"\n[rules]\nfiles = []\n[[route]]\nmatch = "GET /items/{id}"\n'
    )
    make_key(folder / "paritygate.key")
    return load_settings(config)


async def make_store(settings: Settings) -> None:
    store = open_store(settings.store_url)
    await store.upgrade()
    await store.close()


def test_commands_send_the_token(stage: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A roll-back reaches the proxy at once, and `status` knows what is enforced."""

    async def scenario() -> None:
        async with stage(proxy=with_token(folder)) as s:
            settings = configured(folder, s)
            await make_store(settings)
            (folder / "paritygate.key").write_text(s.key.hex())
            decision = await asyncio.to_thread(decide, settings, "rollback", ROUTE, "ada", "drill")
            assert decision.weight_bp == 0
            assert await asyncio.to_thread(enforced_numbers, settings, ROUTE) == [(settings.proxy.admin, decision.seq)]
            assert (await asyncio.to_thread(part_health, settings))["decisions"] == "enforced"
            assert "warning" not in capsys.readouterr().err
            (folder / "admin.token").unlink()
            again = await asyncio.to_thread(decide, settings, "rollback", ROUTE, "ada", "drill")
            assert again.seq > decision.seq  # stored; the proxy reads it from there
            assert "admin_token_file" in capsys.readouterr().err

    asyncio.run(scenario())


def test_the_gate_is_answered_as_the_command_does(stage: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """409 while the gate does not pass, 404 for a route that nobody knows, 503 where there is no store, which is not made then; the
    command's own document otherwise."""

    async def scenario() -> None:
        with_token(folder)
        async with stage() as s:
            settings = configured(folder, s)
            await s.admin("POST", "/drain")
            await asyncio.wait([s.task], timeout=10)
            ready = asyncio.Event()
            judge = lambda route, known: gate_answer(settings, route, known)  # noqa: E731
            task = asyncio.get_running_loop().create_task(serve(s.settings, s.key, ready.set, judge))
            await asyncio.wait_for(ready.wait(), 10)
            none = await s.admin("GET", "/gate/GET%20%2Fitems%2F%7Bid%7D")
            assert none.status_code == 503
            assert "paritygate.db: there is no store; `paritygate store upgrade` makes one" in none.json()["error"]
            assert not [name for name in os.listdir(folder) if name.startswith("paritygate.db")]
            await make_store(settings)
            answer = await s.admin("GET", "/gate/GET%20%2Fitems%2F%7Bid%7D")
            assert await asyncio.to_thread(run_command, ["gate", ROUTE, "--json", "--config", str(settings.source)]) == 3
            out = capsys.readouterr().out
            printed, given = json.loads(out[out.index("\n{\n") :]), answer.json()
            assert (answer.status_code, given["verdict"], given["state"]) == (409, "undecided", "shadow")
            assert given == printed
            unknown = await s.admin("GET", "/gate/GET%20%2Fitem%2F%7Bid%7D")
            assert (unknown.status_code, "did you mean" in unknown.json()["error"]) == (404, True)
            (folder / "paritygate.db").write_bytes(b"no database" * 1000)
            assert (await s.admin("GET", "/gate/GET%20%2Fitems%2F%7Bid%7D")).status_code == 503
            task.cancel()
            await asyncio.wait([task], timeout=10)

    asyncio.run(scenario())


def test_the_gate_is_asked_once_at_a_time_and_never_for_long() -> None:
    running, most = 0, 0
    lock, go = threading.Lock(), threading.Event()

    def judge(route: str, known: Collection[str]) -> tuple[int, dict[str, Any]]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if route == "slow":
            go.wait(10)
        with lock:
            running -= 1
        if route == "broken":
            raise RuntimeError("a fault of ours")
        return 200, {"route": route}

    async def scenario() -> None:
        probe = GateProbe(judge, deadline_s=0.2)
        assert await asyncio.gather(*(probe.ask(str(number), ()) for number in range(8))) == [
            (200, {"route": str(number)}) for number in range(8)
        ]
        begun = time.monotonic()
        assert (await probe.ask("slow", ()))[0] == 503
        assert (await probe.ask("next", ()))[0] == 503  # the slow one is still at it
        assert time.monotonic() - begun < 6.0
        go.set()
        async with asyncio.timeout(5):
            while (await probe.ask("again", ()))[0] != 200:
                pass
        assert (await probe.ask("broken", ()))[0] == 500
        assert (await probe.ask("after", ()))[0] == 200

    asyncio.run(scenario())
    assert most == 1


def test_a_proxy_without_a_gate_says_so(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            assert (await s.admin("GET", "/gate/GET%20%2Fa")).status_code == 404

    asyncio.run(scenario())
