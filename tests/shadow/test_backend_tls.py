"""TLS towards a backend: verified, against an own authority too, and bounded in time."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from shadow_backends import always, answer, backend, listening
from shadow_dispatch import asking


def certified(folder: Path, address: str) -> Path:
    """A self-signed certificate for `address` with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "backend.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("address", "trusted", "works"), [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)]
)
def test_backend_behind_tls_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, trusted: bool, works: bool
) -> None:
    """An own authority is named by SSL_CERT_FILE; a certificate of somebody else's, or for another address, is refused."""
    pem = certified(tmp_path, address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    else:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)

    async def scenario() -> None:
        async with backend(always(answer(200, b"secure")), context) as server:
            transport, ask = asking(server.url)
            if works:
                for _ in range(3):
                    assert await (await ask()).aread() == b"secure"
                assert server.connections == 1
            else:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await ask()
                assert server.seen == []
            await transport.aclose()

    asyncio.run(scenario())


def test_backend_that_speaks_no_tls_is_refused_within_the_deadline() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def scenario() -> None:
        for act, error in ((garbage, httpx.ConnectError), (silent, httpx.ConnectTimeout)):
            async with listening(act) as url:
                transport, ask = asking(url.replace("http:", "https:"), deadline_s=0.5)
                with pytest.raises(error):
                    await ask()
                await transport.aclose()

    asyncio.run(scenario())
