"""`X-Forwarded-*`: passes from trusted proxies with ours appended; from anyone else it is replaced."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from traffic.message import Headers, header_values

_FOR, _PROTO, _HOST = b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host"


class Forwarding:
    """Knows which networks are trusted."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in trusted]
        self._known: dict[str, bool] = {}

    def trusts(self, address: str) -> bool:
        """Whether `address` belongs to one of our own proxies."""
        known = self._known.get(address)
        if known is None:
            try:
                ip = ipaddress.ip_address(address.partition("%")[0])
            except ValueError:
                return False
            ip = getattr(ip, "ipv4_mapped", None) or ip
            known = any(ip in network for network in self._networks)
            if len(self._known) < 10_000:
                self._known[address] = known
        return known

    def stamp(self, headers: Headers, peer: str, scheme: bytes) -> tuple[Headers, str]:
        """The headers as the backend gets them, and the address of the client itself (for its key, never for a decision)."""
        names = [name.lower() for name, _ in headers]
        own = peer.encode("ascii", "replace")
        if not self.trusts(peer):
            claims = b"\n".join(names).replace(b"_", b"-")
            kept = headers
            if b"forwarded" in claims or b"x-real-ip" in claims:  # seldom; most clients claim nothing
                kept = tuple(pair for pair in headers if not _claims_origin(pair[0]))
            host = ((_HOST, headers[names.index(b"host")][1]),) if b"host" in names else ()
            return (*kept, (_FOR, own), (_PROTO, scheme), *host), peer
        proto = () if b"x-forwarded-proto" in names else ((_PROTO, scheme),)
        if b"x-forwarded-for" not in names:
            return (*headers, (_FOR, own), *proto), peer
        client = self._client(header_values(headers, b"x-forwarded-for"), peer)
        stamped = list(headers)
        last = len(names) - 1 - names[::-1].index(b"x-forwarded-for")
        name, value = stamped[last]
        stamped[last] = (name, value + b", " + own if value else own)
        return (*stamped, *proto), client

    def _client(self, chain: list[bytes], peer: str) -> str:
        """The last address of the chain that is not one of our own proxies."""
        hops = [hop.strip().decode("latin-1") for line in chain for hop in line.split(b",") if hop.strip()]
        for hop in reversed(hops):
            if not self.trusts(hop):
                return hop[:64]
        return hops[0][:64] if hops else peer


def _claims_origin(name: bytes) -> bool:
    # WSGI makes X_Forwarded_For and X-Forwarded-For the same name, so the underscore form is replaced too.
    plain = name.lower().replace(b"_", b"-")
    return plain.startswith(b"x-forwarded-") or plain in (b"forwarded", b"x-real-ip")
