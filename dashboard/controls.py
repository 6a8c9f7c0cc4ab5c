"""The one thing the dashboard writes: requests to the cutover, in the name of the person who asks."""

from __future__ import annotations

import secrets
import time

from dashboard.client import StoreClient
from dashboard.launch import is_local
from gate.facts import Decision
from gate.machine import Refused
from gate.policy import Policy
from settings.keyfile import read_key
from settings.load import SettingsError
from settings.model import Settings
from store.cutover import act
from store.database import Store
from store.enforced import enforced_numbers

UNNAMED = "dashboard (no name given)"
NAME_LENGTH = 80


class NotDone(Exception):
    """The request was not carried out; the text says why, one reason a line."""


def may_write(settings: Settings) -> str:
    """Why this dashboard may not change anything; empty where it may."""
    if not is_local(settings):
        return f"dashboard.listen is {settings.dashboard.listen}, which others can reach without a login: use `paritygate cutover`."
    if not settings.key_path.is_file():
        return f"There is no signing key at {settings.key_path}: `paritygate init` makes one."
    return ""


def request(
    client: StoreClient, settings: Settings, policy: Policy, action: str, route: str, actor: str, seen_seq: int
) -> Decision:
    """Carries out `action`; the gate is evaluated again inside the store's transaction. Raises NotDone and StoreError.

    `seen_seq` is the standing's number that the person saw. Anything that raises a weight is not done on a newer one; a
    roll-back is never held up by it.
    """
    refused = may_write(settings)
    if refused:
        raise NotDone(refused)
    try:
        key = read_key(settings.key_path)
    except SettingsError as error:
        raise NotDone(str(error)) from error
    name = "".join(char for char in actor.strip() if char.isprintable())[:NAME_LENGTH] or UNNAMED
    now, salt = time.time(), secrets.token_hex(8)
    # A roll-back that was told to the proxies alone has a number the store does not know; what is decided now must overtake it.
    overtaken = max((number for _, number in enforced_numbers(settings, route)), default=0)

    async def work(store: Store) -> Decision:
        if action != "rollback" and (await store.standing(route)).seq != seen_seq:
            raise NotDone("The route has moved on since this page was shown. Look at it again, then decide.")
        return await act(store, action, route, name, "asked for in the dashboard", policy, key, now, salt, after_seq=overtaken)

    try:
        return client.call(work)
    except Refused as error:
        raise NotDone("\n".join(error.reasons)) from error
