"""Who visits the shop: people and programs, each with an address and a user agent of their own."""

from __future__ import annotations

from dataclasses import dataclass

_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "ShopApp/4.2 (Android 16)",
    "ShopApp/4.1 (iOS 18.5)",
    "partner-sync/1.7",
)


@dataclass(frozen=True, slots=True)
class Client:
    """One person or program. `login` is `session` or `token`; None for an anonymous one, which has no `user` either."""

    name: str
    address: str
    agent: str
    login: str | None = None
    user: str | None = None
    staff: bool = False

    @property
    def customer(self) -> bool:
        """Logged in, and not staff."""
        return self.login is not None and not self.staff


# The only client that creates rows: both twins then give out the same ids. Nobody else reads what it created.
CREATOR = Client("carol's phone", "203.0.113.30", _AGENTS[3], "token", "carol")
# Logs out and in again in the middle of the run.
RETURNING = Client("alice's browser", "203.0.113.10", _AGENTS[0], "session", "alice")
CLIENTS = (
    RETURNING,
    Client("bob's browser", "203.0.113.20", _AGENTS[1], "session", "bob"),
    Client("dave's phone", "203.0.113.40", _AGENTS[2], "token", "dave"),
    Client("erin's phone", "203.0.113.50", _AGENTS[3], "token", "erin"),
    Client("frank's script", "203.0.113.60", _AGENTS[4], "token", "frank"),
    Client("grace's browser", "198.51.100.7", _AGENTS[0], "session", "grace", staff=True),
    Client("heidi's script", "198.51.100.8", _AGENTS[4], "token", "heidi", staff=True),
    Client("visitor 1", "192.0.2.11", _AGENTS[0]),
    Client("visitor 2", "192.0.2.12", _AGENTS[1]),
    Client("visitor 3", "192.0.2.13", _AGENTS[2]),
    Client("visitor 4", "192.0.2.14", _AGENTS[0]),
    Client("visitor 5", "192.0.2.14", _AGENTS[3]),
)
