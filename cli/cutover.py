"""`paritygate cutover ACTION ROUTE` and `cutover log`: the state machine, every change audited."""

from __future__ import annotations

import json as json_library
import secrets
from datetime import UTC, datetime
from typing import Annotated

import httpx
import typer

from cli.codes import CommandError, Exit
from cli.console import cell, out, say, show, show_json, table
from cli.context import ActorOption, ConfigOption, JsonOption, load, now, policy_of, with_store
from cli.drill import register as register_drill
from cli.known_routes import configured, resolve, seen
from gate import decision as decisions
from gate.facts import Decision, State
from settings.admin_token import admin_headers
from settings.keyfile import read_key
from settings.load import SettingsError
from settings.model import Settings
from store.cutover import act
from store.database import Store
from store.enforced import enforced_decisions, enforced_numbers, proxy_addresses
from store.errors import StoreError

cutover = typer.Typer(name="cutover", help="Move a route between the backends; every change is audited.", no_args_is_help=True)
RouteArgument = Annotated[str, typer.Argument(help="A route as `paritygate routes` prints it.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit.")]
ACTIONS = {
    "shadow": "Start (again) to mirror a route and to gather evidence.",
    "promote": "Ask for the next configured step; with none left, all of the route's traffic. Refused unless every guard holds.",
    "rollback": "Send the route's traffic back to the primary at once. Never refused.",
    "freeze": "Block every transition that raises a weight.",
    "unfreeze": "End a freeze.",
    "approve": "Approve the promotion of the evidence as it is now.",
    "unlock": "Unlock a route that was locked after repeated roll-backs.",
    "retire": "Declare the primary's route gone.",
    "off": "Stop mirroring a route that serves no client from the candidate.",
}
PUBLISH_DEADLINE = 2.0


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    for action, text in ACTIONS.items():
        cutover.command(action, help=text)(_command(action))
    register_drill(cutover)
    app.add_typer(cutover)


def _command(action: str):  # type: ignore[no-untyped-def]  # typer reads the inner signature, the outer has none worth naming
    def run(
        route: RouteArgument,
        config: ConfigOption = None,
        actor: ActorOption = "unknown",
        reason: ReasonOption = "",
        json: JsonOption = False,
    ) -> None:
        settings = load(config)
        decision = decide(settings, action, route, actor, reason)
        if json:
            show_json(json_library.loads(decisions.encode(decision)))
        else:
            say(
                f"{decision.route}: {decision.state}, {decision.weight_bp / 100:g} % of its clients get the candidate (seq {decision.seq})"
            )

    return run


def decide(settings: Settings, action: str, route: str, actor: str, reason: str) -> Decision:
    """Takes one decision: a roll-back is told to the proxies first and stored when it can be; anything else is stored first."""
    key = read_key(settings.key_path)
    try:
        admin_headers(settings)
    except SettingsError as error:  # said once, and no roll-back waits for it
        say(f"warning: no proxy can be asked or told directly: {error}")
    salt = secrets.token_hex(8)
    route = _resolved(settings, route)
    policy = policy_of(settings, route)
    overtaken = 0

    async def store_it(store: Store) -> Decision:
        return await act(store, action, route, actor, reason, policy, key, now(), salt, after_seq=overtaken)

    if action != "rollback":
        overtaken = max((found for _, found in enforced_numbers(settings, route)), default=0)
        decision = with_store(settings, store_it)
        publish(settings, decision)
        return decision
    direct = _roll_back_directly(settings, route, actor, reason, key, salt)
    overtaken = direct.seq if direct is not None else 0
    try:
        decision = with_store(settings, store_it)
    except StoreError as error:
        if direct is None:
            raise CommandError(f"neither a proxy nor the store could be told: {error}", Exit.UNREACHABLE) from error
        say(
            f"warning: the proxies have rolled back, but the store could not be told: {error}; repeat the command when it is back"
        )
        return direct
    publish(settings, decision)
    return decision


def _resolved(settings: Settings, route: str) -> str:
    """The route that is meant. What a proxy enforces is known without the store and the backends: a roll-back must not wait for them."""
    enforced = {str(item.get("route")) for _, items in enforced_decisions(settings) for item in items}
    if route in enforced:
        return route
    known = enforced | configured(settings)
    try:
        known |= with_store(settings, seen)
    except StoreError:
        if not known:
            return route  # nobody can say what there is: the command itself says who could not be told
    return resolve(route, known)


def _roll_back_directly(settings: Settings, route: str, actor: str, reason: str, key: bytes, salt: str) -> Decision | None:
    """Tells every proxy to serve the route from the primary, without asking the store; None when no proxy took it."""
    numbers = enforced_numbers(settings, route)
    silent = set(proxy_addresses(settings)) - {address for address, _ in numbers}
    for address in sorted(silent):
        say(f"warning: the proxy at {address} could not be reached; it reads the store by itself")
    if not numbers:
        return None
    seq = max(found for _, found in numbers) + 1
    made = Decision(route, seq, State.ROLLED_BACK, "", 0, salt, now(), None, actor, reason or "manual roll-back")
    signed = decisions.sign(made, key)
    told = [_tell(settings, address, signed) for address, _ in numbers]
    return signed if any(told) else None


def publish(settings: Settings, decision: Decision) -> None:
    """Hands a stored decision to the proxies at once; one that cannot be reached reads it from the store within a second."""
    for address in proxy_addresses(settings):
        _tell(settings, address, decision)


def _tell(settings: Settings, address: str, decision: Decision) -> bool:
    url, text = f"http://{address}/decisions", decisions.encode(decision)
    try:
        headers = admin_headers(settings)
        answer = httpx.post(url, content=text, headers=headers, timeout=PUBLISH_DEADLINE, trust_env=False).raise_for_status()
        unconfirmed = answer.json().get("unconfirmed_workers", 0)
    except SettingsError as error:  # a roll-back goes on: the proxies read the store, too
        say(f"warning: the proxy at {address} could not be told directly: {error}")
        return False
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        say(f"note: the proxy at {address} could not be told directly ({type(error).__name__}); it reads the store by itself")
        return False
    if unconfirmed:
        say(f"warning: {unconfirmed} workers of the proxy at {address} have not confirmed it yet; they are told all the same")
    return True


@cutover.command("log")
def log(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest entries.")] = 50,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the audit, newest first."""
    rows = with_store(load(config), lambda store: store.audit(limit))
    if json:
        show_json({"audit": [{name: getattr(row, name) for name in row.__slots__} for row in rows]})
        return
    made = table("", ["entry", "at", "actor", "action", "route", "before", "after", "reason"])
    for row in rows:
        at = datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
        before, after = _standing_in_words(row.before), _standing_in_words(row.after)
        reason = _reason_in_words(row.detail)
        made.add_row(*(cell(text) for text in (row.seq, at, row.actor, row.action, row.route, before, after, reason)))
    out.print(made)
    show("the figures each decision rested on: --json")


def _reason_in_words(detail: str) -> str:
    if not detail.startswith("{"):
        return detail  # of a link that is about the store and not about a route
    return str(json_library.loads(detail).get("reason", ""))


def _standing_in_words(text: str) -> str:
    if not text.startswith("{"):
        return text
    standing = json_library.loads(text)
    return f"{standing['state']} {standing['weight_bp'] / 100:g} %"
