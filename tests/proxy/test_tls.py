"""TLS towards a backend: verified against an own certificate authority, refused without it."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
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
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "backend.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


async def secure_backend(pem: Path) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure")
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)


def test_a_backend_behind_tls_is_verified(stage: Any, folder: Path, monkeypatch: Any) -> None:
    pem = certificate(folder)

    async def scenario() -> None:
        server = await secure_backend(pem)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with stage(primary={"url": url}) as s:
            answer = await s.ask("/items/1")
            assert answer.status == 502  # nobody vouches for it
        for file in list((folder / ".paritygate").glob("openings-*")):
            file.unlink()
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        async with stage(primary={"url": url}) as s:
            assert (await s.ask("/items/1")).body == b"secure"
            assert (await s.at_rest(1)).served_primary == 1
        server.close()

    asyncio.run(scenario())
