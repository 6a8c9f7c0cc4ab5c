"""The certificate's files: what cannot be used is said before anything listens, what is renewed is taken up, and none are made."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from proxy.client_tls import ClientTls, load_client_tls
from proxy.errors import ProxyError
from settings.model import Settings
from tests.certificates import Pair, make_pair

ROOT = Path(__file__).resolve().parents[2]


def configured(folder: Path, certificate: str, key: str) -> Settings:
    return Settings(proxy={"tls_certificate": certificate, "tls_key": key}).located(folder, None)  # type: ignore[arg-type]


def fault(folder: Path, certificate: str = "front.crt", key: str = "front.key") -> str:
    with pytest.raises(ProxyError) as caught:
        load_client_tls(configured(folder, certificate, key))
    return str(caught.value)


def test_a_missing_file_is_named_with_its_setting(folder: Path) -> None:
    make_pair(folder)
    said = f"{folder}/none.crt: there is no such file; correct proxy.tls_certificate (it is relative to paritygate.toml)"
    assert fault(folder, certificate="none.crt") == said
    assert fault(folder, key="none.key").startswith(f"{folder}/none.key: there is no such file; correct proxy.tls_key")


def test_a_file_that_cannot_be_read_is_named_with_its_setting(folder: Path) -> None:
    make_pair(folder)
    (folder / "locked").mkdir()
    assert (
        fault(folder, key="locked")
        == f"{folder}/locked: cannot be read (Is a directory); correct proxy.tls_key or the file's permissions"
    )


def test_files_that_are_no_pem_are_named_with_what_they_must_be(folder: Path) -> None:
    make_pair(folder)
    (folder / "odd").write_bytes(b"\x30\x82\x00\x01not pem")
    assert (
        "odd: no certificate in PEM form; set proxy.tls_certificate to a file that begins with -----BEGIN CERTIFICATE"
        in fault(folder, certificate="odd")
    )
    assert "odd: no private key in PEM form" in fault(folder, key="odd")
    assert "front.key: no certificate in PEM form" in fault(folder, certificate="front.key", key="front.crt")
    (folder / "huge").write_bytes(b"x" * (1024 * 1024 + 1))
    assert "huge: has more than 1048576 bytes, which is no PEM file; correct proxy.tls_certificate" in fault(
        folder, certificate="huge"
    )


def test_a_key_of_another_certificate_is_named_with_both_files(folder: Path) -> None:
    make_pair(folder)
    make_pair(folder, "other")
    said = fault(folder, key="other.key")
    assert said.startswith(f"{folder}/other.key: is not the key of the certificate in {folder}/front.crt; set proxy.tls_key to")


def test_a_key_with_a_passphrase_is_refused_with_the_way_out_and_nobody_is_asked(folder: Path) -> None:
    make_pair(folder, passphrase=b"secret")
    said = fault(folder)
    assert said.startswith(f"{folder}/front.key: this key is encrypted")
    assert "openssl pkey -in front.key -out plain.pem" in said
    assert "proxy.tls_key" in said


def test_a_key_that_openssl_calls_too_weak_is_named(folder: Path) -> None:
    make_pair(folder, weak=True)
    assert f"{folder}/front.crt: too weak for OpenSSL (ee key too small); set proxy.tls_certificate to" in fault(folder)


@pytest.mark.parametrize(("days", "word"), [((-10, -1), "has expired on "), ((1, 9), "is not valid before ")])
def test_a_certificate_out_of_its_time_is_served_with_a_warning(folder: Path, days: tuple[float, float], word: str) -> None:
    make_pair(folder, days=days)
    warnings: list[str] = []
    assert load_client_tls(configured(folder, "front.crt", "front.key"), warnings) is not None
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{folder}/front.crt: this certificate {word}")


def test_nothing_listens_when_the_certificate_cannot_be_used(stage: Any, folder: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(ProxyError, match="there is no such file; correct proxy"):
            async with stage(proxy={"tls_certificate": "none.crt", "tls_key": "none.key"}):
                pass

    asyncio.run(scenario())
    assert not list(folder.glob(".paritygate/*"))


async def serial_seen(port: int, trusted: Pair) -> int:
    """The number of the certificate that a new client sees."""
    from cryptography import x509

    context = trusted.client()
    context.check_hostname = False
    context.verify_mode = 0  # type: ignore[assignment]
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(seen).serial_number


def test_a_renewed_certificate_is_served_to_new_clients_and_the_others_stay(
    stage: Any, folder: Path, monkeypatch: Any, wait: Any
) -> None:
    """[F-28] No restart, no connection is dropped; half of a pair changes nothing, and is said once."""
    monkeypatch.setattr(ClientTls.watch, "__defaults__", (0.05,))
    pair, renewed = make_pair(folder), make_pair(folder, "renewed")

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            reader, writer = await asyncio.open_connection("127.0.0.1", s.port, ssl=pair.client())
            old, new = pair.serial(), renewed.serial()
            assert await serial_seen(s.port, pair) == old
            with capture_logs() as logs:
                shutil.copy(renewed.certificate, pair.certificate)
                await wait(lambda: logs, "the half pair is said")
                (folder / "touched").write_bytes(pair.certificate.read_bytes())
                os.replace(folder / "touched", pair.certificate)
                await asyncio.sleep(0.3)
                assert await serial_seen(s.port, pair) == old
                assert [entry["log_level"] for entry in logs] == ["warning"]
                assert "is not the key of the certificate" in logs[0]["reason"]
                shutil.copy(renewed.key, pair.key)
                await wait(lambda: len(logs) == 2)
                assert logs[1]["event"] == "the certificate was renewed"
            assert await serial_seen(s.port, pair) == new
            writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert (await reader.read(-1)).endswith(b"primary /items/1 ")
            writer.close()
            pair.key.unlink()
            await asyncio.sleep(0.3)
            assert await serial_seen(s.port, pair) == new

    asyncio.run(scenario())


@pytest.mark.soak
def test_no_file_of_an_own_authority_is_ever_made(stage: Any, folder: Path, wait: Any) -> None:
    """[T23] mitmproxy makes a certificate authority in ~/.mitmproxy; a proxy of ours, with TLS on both sides, makes nothing there."""
    pair = make_pair(folder)
    home = folder / "home"
    home.mkdir()

    async def scenario() -> None:
        async with stage() as s:
            await s.admin("POST", "/drain")
            await asyncio.wait([s.task], timeout=10)
            for file in s.settings.state_dir.glob("openings-*"):
                file.unlink()
            config = folder / "paritygate.toml"
            ports = f'listen = "127.0.0.1:{s.port}"\nadmin = "127.0.0.1:{s.admin_port}"'
            config.write_text(
                f"[primary]\nurl = {json.dumps(s.settings.primary.url)}\n[candidate]\nurl = 'https://127.0.0.1:1'\n"
                f'[proxy]\n{ports}\ntls_certificate = "front.crt"\ntls_key = "front.key"\n'
            )
            (folder / "paritygate.key").write_text("ab" * 32)
            env = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)}
            log = folder / "proxy.log"
            with log.open("wb") as output:
                command = [sys.executable, "-P", "-m", "cli.main", "proxy", "--config", str(config)]
                env["PYTHONPATH"] = str(ROOT)
                child = await asyncio.create_subprocess_exec(*command, cwd=home, env=env, stdout=output, stderr=output)
            try:
                await wait(lambda: b"proxy: http" in log.read_bytes() or child.returncode is not None, "ready", 30)
                assert child.returncode is None, log.read_text()
                reader, writer = await asyncio.open_connection("127.0.0.1", s.port, ssl=pair.client())
                writer.write(b"GET /items/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert (await reader.read(-1)).endswith(b"primary /items/1 ")
                writer.close()
            finally:
                child.send_signal(signal.SIGTERM)
                await asyncio.wait_for(child.wait(), 20)

    asyncio.run(scenario())
    assert list(home.rglob("*")) == []
    assert not [path for path in folder.rglob("*") if "mitmproxy" in path.name or path.suffix in (".p12", ".cer")]
