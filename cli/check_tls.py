"""What `paritygate doctor` says of TLS towards clients: the pair of files as the proxy would load it, its dates, who may read the key."""

from __future__ import annotations

import datetime
import re
from importlib.metadata import PackageNotFoundError, version

from cli.check import Check
from cli.check_keys import exposed
from cli.codes import Exit
from proxy.client_tls import load_client_tls
from proxy.errors import ProxyError
from settings.model import Settings

FEW_DAYS = 21
"""Certificates that live for 90 days are renewed 30 days before their end: below this, the renewal does not work."""
MITMPROXY_FOR_HTTP2 = (12, 1, 2)


def tls_check(settings: Settings) -> Check:
    """The finding about proxy.tls_certificate, proxy.tls_key and proxy.http2."""
    proxy = settings.proxy
    warnings: list[str] = []
    try:
        tls = load_client_tls(settings, warnings)
    except ProxyError as error:
        return Check("tls", False, str(error), Exit.USAGE)
    if tls is None or proxy.tls_certificate is None or proxy.tls_key is None:
        return Check("tls", True, "none: clients are served over plain HTTP (proxy.tls_certificate is not set)")
    fault = _http2_fault() if proxy.http2 else None
    if fault is not None:
        return Check("tls", False, fault, Exit.USAGE)
    certificate, key = settings.path(proxy.tls_certificate), settings.path(proxy.tls_key)
    days = (tls.expires - datetime.datetime.now(datetime.UTC)).days
    if not warnings and days < FEW_DAYS:
        warnings.append(f"{certificate}: expires in {days} days, on {tls.expires:%Y-%m-%d}; renew it")
    warnings += exposed(key, "proxy.tls_key")
    if warnings:
        return Check("tls", None, "; ".join(warnings))
    offered = "HTTP/2 and HTTP/1.1" if proxy.http2 else "HTTP/1.1"
    return Check("tls", True, f"{certificate}: valid until {tls.expires:%Y-%m-%d} ({days} days), offers {offered}")


def _http2_fault() -> str | None:
    """Why HTTP/2 must not be offered here, if so. An unknown version is too old."""
    try:
        found = version("mitmproxy")
    except PackageNotFoundError:
        found = "none"
    if tuple(int(number) for number in re.findall(r"\d+", found)[:3]) >= MITMPROXY_FOR_HTTP2:
        return None
    needed = ".".join(map(str, MITMPROXY_FOR_HTTP2))
    return (
        f"[proxy] http2 = true needs mitmproxy {needed} or newer, found {found}: the h2 of older ones lets requests be smuggled "
        "(GHSA-847f-9342-265h); install a newer mitmproxy, or set http2 = false"
    )
