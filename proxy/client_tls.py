"""TLS towards clients, by OpenSSL beneath asyncio: mitmproxy's layers behind it see plain bytes and hold no certificate.

A renewed certificate is taken up without a restart: new connections get it, those that stand keep theirs. A pair of files that
does not fit together (half of it may be written already) changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, cast

import structlog
from cryptography import x509

from proxy.errors import ProxyError
from settings.model import Settings

HANDSHAKE_S = 10.0
"""A client must have agreed on TLS within this time."""
GOODBYE_S = 1.0
"""After our last bytes a client may go on sending for so long: closing at once would reset, and take them from it again."""
CLOSING_S = 30.0
"""So long, at most, goes what is not sent yet to a slow client after its connection was closed; then it is cut."""
UNSENT = 64 * 1024
"""Bytes that wait for a client before its backend is read no further; asyncio's own limit for TLS is eight times that."""
LOOK_EVERY_S = 2.0
MOST_BYTES = 1024 * 1024
READ_BYTES = 32 * 1024
"""Two TLS records. asyncio holds a buffer of this size for each connection: its own choice, 256 KiB, is 2.3 GB for 9,000 clients."""

_NOT_TLS = frozenset(("HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "BAD_PACKET_LENGTH"))

Clock = Callable[[], datetime.datetime]
_Stamp = tuple[tuple[int, int, int], ...]

_log = structlog.get_logger("paritygate.proxy")


class ClientTls:
    """The certificate that clients see. Raises ProxyError, naming file, setting and remedy, when the pair cannot be used."""

    def __init__(self, certificate: Path, key: Path, http2: bool, clock: Clock | None = None) -> None:
        self._certificate, self._key, self._http2 = certificate, key, http2
        self._clock = clock or (lambda: datetime.datetime.now(datetime.UTC))
        self._taken = self._stamp()
        self._tried = self._taken
        self.warning: str | None = None
        """What is wrong with the certificate, though it can be served: its dates. None when all is well."""
        self.expires = datetime.datetime.max.replace(tzinfo=datetime.UTC)
        """When the certificate in use ends."""
        self.context = self._load()

    def look(self) -> None:
        """Takes up changed files for new connections. Reads files: for a thread. Never raises."""
        stamp = self._stamp()
        if stamp in (self._taken, self._tried):
            return
        told = self._tried != self._taken
        self._tried = stamp
        try:
            self.context = self._load()
        except ProxyError as error:
            if not told:
                _log.warning("the changed certificate is not taken up, clients still get the old one", reason=str(error))
            return
        self._taken = stamp
        _log.info("the certificate was renewed", certificate=str(self._certificate), warning=self.warning)

    async def watch(self, every_s: float = LOOK_EVERY_S) -> None:
        """Looks after the files for ever, in a thread."""
        while True:
            await asyncio.sleep(every_s)
            await asyncio.to_thread(self.look)

    async def open_streams(
        self, client: socket.socket, handshake_s: float = HANDSHAKE_S
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The streams of a client that has just been accepted, after its handshake, which takes `handshake_s` at most.

        Raises OSError when no client came of it; `is_not_tls` says whether it spoke something else. The socket is closed then.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = _Secured(reader, loop=loop)
        try:
            beneath, _ = await loop.connect_accepted_socket(_Unread, client)
        except BaseException:
            client.close()
            raise
        transport = await loop.start_tls(
            beneath,
            protocol,
            self.context,
            server_side=True,
            ssl_handshake_timeout=handshake_s,
            ssl_shutdown_timeout=CLOSING_S,
        )
        if transport is None or transport.is_closing():
            beneath.abort()
            raise ConnectionResetError("gone within the handshake")
        protocol.connection_made(transport)
        transport.set_write_buffer_limits(high=UNSENT)
        return reader, SecuredWriter(transport, protocol, reader, loop, beneath)

    def _stamp(self) -> _Stamp:
        found = []
        for path in (self._certificate, self._key):
            try:
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)

    def _load(self) -> ssl.SSLContext:
        chain = _certificates(self._certificate)
        _read(self._key, "proxy.tls_key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION
        context.set_alpn_protocols(["h2", "http/1.1"] if self._http2 else ["http/1.1"])
        try:
            context.load_cert_chain(self._certificate, self._key, password=self._encrypted)
        except ssl.SSLError as error:
            raise ProxyError(self._fault(error)) from error
        except OSError as error:
            raise ProxyError(f"{self._key}: cannot be read ({error.strerror}); correct proxy.tls_key") from error
        self.warning, self.expires = self._dates(chain[0]), chain[0].not_valid_after_utc
        return context

    def _encrypted(self) -> NoReturn:
        raise ProxyError(
            f"{self._key}: this key is encrypted, and a proxy that starts by itself cannot ask for its passphrase; write it "
            f"without one (openssl pkey -in {self._key.name} -out plain.pem), mode 0600, and set proxy.tls_key to that file"
        )

    def _fault(self, error: ssl.SSLError) -> str:
        reason = error.reason or ""
        if reason == "KEY_VALUES_MISMATCH":
            return (
                f"{self._key}: is not the key of the certificate in {self._certificate}; set proxy.tls_key to the key that the "
                "certificate was made with (the certificate itself must come first in its file, before its chain)"
            )
        if reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "EE_MD_TOO_WEAK"):
            text = reason.lower().replace("_", " ")
            return (
                f"{self._certificate}: too weak for OpenSSL ({text}); set proxy.tls_certificate to one with RSA 2048 or P-256 "
                "and SHA-256"
            )
        return (
            f"{self._key}: no private key in PEM form ({reason.lower().replace('_', ' ') or 'unreadable'}); "
            "set proxy.tls_key to a file that begins with -----BEGIN PRIVATE KEY-----"
        )

    def _dates(self, leaf: x509.Certificate) -> str | None:
        now, end = self._clock(), leaf.not_valid_after_utc
        if now > end:
            return f"{self._certificate}: this certificate has expired on {end:%Y-%m-%d}, clients will refuse it; renew it"
        if now < leaf.not_valid_before_utc:
            return (
                f"{self._certificate}: this certificate is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, "
                "clients will refuse it; check this machine's clock"
            )
        return None


class SecuredWriter(asyncio.StreamWriter):
    """Writes to a client over TLS."""

    def __init__(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.StreamReaderProtocol,
        reader: asyncio.StreamReader,
        loop: asyncio.AbstractEventLoop,
        beneath: asyncio.Transport,
    ) -> None:
        super().__init__(transport, protocol, reader, loop)
        self._beneath = beneath

    def close(self) -> None:
        """Begins the end. A second call would make asyncio's transport forget its own connection."""
        if not self.is_closing():
            super().close()

    async def goodbye(self) -> None:
        """After `close`: ends the connection when all is sent and the client has had GOODBYE_S for its own end. asyncio waits for
        that end alone, and clients that keep a connection for later do not look at it. Raises OSError."""
        if not self._beneath.is_closing():
            self.transport.set_write_buffer_limits(high=1)
            await self.drain()  # until nothing is left
        if self._beneath.is_closing():
            return
        self._beneath.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self.wait_closed()
        self._beneath.close()


class _Unread(asyncio.Protocol):
    """Stands beneath TLS until that takes over, and reads nothing: the first bytes are the client's handshake."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).pause_reading()


class _Secured(asyncio.StreamReaderProtocol):
    """A stream over TLS cannot be half closed: what the client ends is ended."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


def load_client_tls(settings: Settings, warnings: list[str] | None = None) -> ClientTls | None:
    """TLS towards clients as configured, None where it is not. Raises ProxyError. Reads files.

    `warnings` gets what is wrong with a certificate that is served all the same.
    """
    proxy = settings.proxy
    if proxy.tls_certificate is None or proxy.tls_key is None:
        return None
    tls = ClientTls(settings.path(proxy.tls_certificate), settings.path(proxy.tls_key), proxy.http2)
    if tls.warning is not None and warnings is not None:
        warnings.append(tls.warning)
    return tls


def is_not_tls(error: OSError) -> bool:
    """Whether a failed handshake was none: the client has sent something else, most likely HTTP without TLS."""
    return isinstance(error, ssl.SSLError) and error.reason in _NOT_TLS


def use_small_buffers() -> None:
    """Makes asyncio read TLS in pieces of READ_BYTES. For a proxy's own process; idempotent."""
    from asyncio import sslproto

    sslproto.SSLProtocol.max_size = READ_BYTES


def _read(path: Path, setting: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise ProxyError(f"{path}: there is no such file; correct {setting} (it is relative to paritygate.toml)") from error
    except OSError as error:
        raise ProxyError(f"{path}: cannot be read ({error.strerror}); correct {setting} or the file's permissions") from error
    if len(data) > MOST_BYTES:
        raise ProxyError(f"{path}: has more than {MOST_BYTES} bytes, which is no PEM file; correct {setting}")
    return data


def _certificates(path: Path) -> list[x509.Certificate]:
    data = _read(path, "proxy.tls_certificate")
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise ProxyError(
            f"{path}: no certificate in PEM form; set proxy.tls_certificate to a file that begins with "
            "-----BEGIN CERTIFICATE----- (the server's own first, then its chain)"
        ) from error
