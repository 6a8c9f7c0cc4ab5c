"""`paritygate cutover drill`: rehearses a roll-back on every proxy, with a decision on a route that no client can ask for."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

import httpx
import typer

from cli.codes import CommandError, Exit
from cli.console import cell, out, say, show_json, table
from cli.context import ActorOption, ConfigOption, JsonOption, load, now, with_store
from gate import decision as decisions
from gate.facts import Decision, State
from settings.admin_token import admin_headers
from settings.keyfile import read_key
from settings.model import Settings
from store.enforced import enforced_numbers, proxy_addresses
from store.errors import StoreError
from store.fleet import note_drill

ROUTE = "DRILL /"
"""No method of HTTP that passes the proxy: nobody is served by it."""
PROMISED_S = 1.0
DEADLINE_S = 5.0


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What one proxy did: after how many seconds it enforced the decision, or what was wrong."""

    address: str
    seconds: float | None
    trouble: str = ""

    @property
    def in_time(self) -> bool:
        """Whether it kept the promise."""
        return self.seconds is not None and self.seconds <= PROMISED_S and not self.trouble


def register(cutover: typer.Typer) -> None:
    """Adds the command."""
    cutover.command("drill")(drill)


def drill(config: ConfigOption = None, actor: ActorOption = "unknown", json: JsonOption = False) -> None:
    """Rehearse a roll-back: every proxy must take a signed decision within a second. No route moves and no client notices.

    A cut-over asks for a rehearsal of the last 30 days. Exit 0 when all proxies kept the promise, 1 when one did not, 4 when the store
    could not be told.
    """
    settings = load(config)
    found = rehearse(settings, actor)
    if json:
        show_json(
            {"proxies": [{"address": r.address, "seconds": r.seconds, "trouble": r.trouble, "ok": r.in_time} for r in found]}
        )
    else:
        made = table("", ["proxy", "", "seconds", "trouble"], {"seconds"})
        for one in found:
            took = "" if one.seconds is None else f"{one.seconds:.3f}"
            made.add_row(cell(one.address), cell("ok" if one.in_time else "LATE"), cell(took), cell(one.trouble))
        out.print(made)
    if not all(one.in_time for one in found):
        say("the rehearsal failed: nothing is noted")
        raise typer.Exit(Exit.BROKEN)
    seconds = {one.address: round(one.seconds or 0.0, 4) for one in found}
    try:
        with_store(settings, lambda store: note_drill(store, actor, now(), seconds))
    except StoreError as error:
        raise CommandError(f"the rehearsal succeeded, but the store could not be told: {error}", Exit.UNREACHABLE) from error


def rehearse(settings: Settings, actor: str) -> list[Rehearsed]:
    """Tells every proxy a decision and waits until it is enforced. Raises SettingsError without a key or token."""
    key, headers = read_key(settings.key_path), admin_headers(settings)
    known = dict(enforced_numbers(settings, ROUTE))
    seq = max(known.values(), default=0) + 1
    made = Decision(ROUTE, seq, State.ROLLED_BACK, "", 0, secrets.token_hex(8), now(), None, actor, "rehearsal of a roll-back")
    text = decisions.encode(decisions.sign(made, key))
    return [_tell(address, text, seq, headers) for address in proxy_addresses(settings)]


def _tell(address: str, text: str, seq: int, headers: dict[str, str]) -> Rehearsed:
    begun = time.monotonic()
    try:
        with httpx.Client(base_url=f"http://{address}", headers=headers, timeout=DEADLINE_S, trust_env=False) as client:
            answer = client.post("/decisions", content=text)
            if answer.status_code != 200:
                return Rehearsed(address, None, str(answer.json().get("error", answer.status_code))[:200])
            waiting = int(answer.json().get("unconfirmed_workers", 0))
            listed = client.get("/decisions").raise_for_status().json()["decisions"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Rehearsed(address, None, f"it cannot be reached ({type(error).__name__})")
    took = time.monotonic() - begun
    if waiting:
        return Rehearsed(address, took, f"{waiting} workers have not confirmed it")
    if not any(item.get("route") == ROUTE and item.get("seq") == seq for item in listed):
        return Rehearsed(address, took, "it says that it took the decision, but does not list it")
    return Rehearsed(address, took)
