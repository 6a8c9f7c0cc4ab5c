"""What `paritygate doctor` says of TLS towards clients and of the ceiling on memory."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from cli import check_memory, check_tls
from proxy import memory_ceiling
from tests.certificates import make_pair

MIB = 1024 * 1024
PAIR = 'tls_certificate = "front.crt"\ntls_key = "front.key"'
NEEDS_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="the configuration refuses http2 on Python 3.11")


def doctor(run: Any, folder: Path, proxy: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit code and findings by name, with these lines in [proxy]."""
    config = folder / "paritygate.toml"
    lines = [
        line for line in config.read_text().splitlines(True) if not line.startswith(("workers", "max_memory", "tls", "http2"))
    ]
    config.write_text("".join(lines).replace("[proxy]\n", f"[proxy]\n{proxy}\n"))
    code, out, _ = run("doctor", "--json", "--config", str(config))
    return code, {check["name"]: check for check in json.loads(out)["checks"]}


def test_without_tls_there_is_nothing_to_mend(run: Any, folder: Path) -> None:
    found = doctor(run, folder, "")[1]["tls"]
    assert (found["ok"], "plain HTTP" in found["text"]) == (True, True)


def test_a_good_pair_is_told_with_its_end(run: Any, folder: Path) -> None:
    make_pair(folder, days=(-90, 40.5))
    found = doctor(run, folder, PAIR)[1]["tls"]
    assert found["ok"] is True
    assert f"{folder / 'front.crt'}: valid until 20" in found["text"]
    assert "(40 days), offers HTTP/1.1" in found["text"]


def test_a_pair_that_cannot_be_used_must_be_mended(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 2, with the proxy's own sentence, whatever else is wrong with this machine."""
    monkeypatch.setattr("cli.doctor._backend", lambda name, url: check_tls.Check(name, True, url))
    code, found = doctor(run, folder, PAIR)
    assert (code, found["tls"]["ok"]) == (2, False)
    assert found["tls"]["text"].startswith(f"{folder / 'front.crt'}: there is no such file; correct proxy.tls_certificate")
    make_pair(folder, days=(-90, 40))
    key = (folder / "front.key").read_bytes()
    make_pair(folder, days=(-90, 40))
    (folder / "front.key").write_bytes(key)
    code, found = doctor(run, folder, PAIR)
    assert (code, found["tls"]["ok"]) == (2, False)
    assert found["tls"]["text"].startswith(f"{folder / 'front.key'}: is not the key of the certificate in")


@pytest.mark.parametrize(("days", "ok"), [(21.5, True), (20.5, None)])
def test_below_21_days_the_end_is_a_note(run: Any, folder: Path, days: float, ok: bool | None) -> None:
    make_pair(folder, days=(-90, days))
    found = doctor(run, folder, PAIR)[1]["tls"]
    assert found["ok"] is ok
    assert ("expires in 20 days, on 20" in found["text"]) is (ok is None)


def test_an_expired_certificate_is_a_note_said_once(run: Any, folder: Path) -> None:
    make_pair(folder, days=(-90, -1))
    found = doctor(run, folder, PAIR)[1]["tls"]
    assert (found["ok"], found["text"].count("has expired on"), found["text"].count("renew it")) == (None, 1, 1)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_may_read_is_a_note(run: Any, folder: Path, mode: int) -> None:
    make_pair(folder, days=(-90, 40))
    (folder / "front.key").chmod(mode)
    found = doctor(run, folder, PAIR)[1]["tls"]
    assert found["ok"] is None
    assert found["text"] == f"{folder / 'front.key'}: others may use this key (mode {mode:04o}, proxy.tls_key); chmod 600 it"


@NEEDS_312
@pytest.mark.parametrize(("old", "ok"), [("12.1.1", False), ("12.1.2", True), ("12.2", True), ("11.0.2", False)])
def test_http2_needs_a_mitmproxy_whose_h2_is_mended(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, ok: bool
) -> None:
    make_pair(folder, days=(-90, 40))
    monkeypatch.setattr(check_tls, "version", lambda name: old if name == "mitmproxy" else version(name))
    found = doctor(run, folder, PAIR + "\nhttp2 = true")[1]["tls"]
    assert found["ok"] is ok
    if ok:
        assert found["text"].endswith("offers HTTP/2 and HTTP/1.1")
    else:
        assert f"http2 = true needs mitmproxy 12.1.2 or newer, found {old}" in found["text"]
        assert "GHSA-847f-9342-265h" in found["text"]
        assert "set http2 = false" in found["text"]


def limit_of_cgroup(monkeypatch: pytest.MonkeyPatch, limit: int | None) -> None:
    for module in (memory_ceiling, check_memory):
        monkeypatch.setattr(module, "cgroup_limit", lambda *_: limit)


@pytest.mark.parametrize(
    ("proxy", "cgroup", "ok", "texts"),
    [
        ("", None, True, ["no ceiling for workers"]),
        ('max_memory = "150MiB"', None, True, ["150 MiB for each worker (proxy.max_memory)"]),
        (
            'max_memory = "149MiB"',
            None,
            None,
            ["149 MiB for each worker (proxy.max_memory)", 'set proxy.max_memory = "150MiB"'],
        ),
        ("workers = 2", 900 * MIB, True, ["300 MiB for each worker (the cgroup's limit"]),
        ("workers = 2", 300 * MIB, None, ["100 MiB for each worker", "raise that limit, or have fewer workers"]),
        (
            'workers = 2\nmax_memory = "600MiB"',
            900 * MIB,
            None,
            ["2 of them are more than the cgroup's limit of 900 MiB", 'set proxy.max_memory to "300MiB"'],
        ),
    ],
)
def test_the_ceiling_on_memory_is_told(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, proxy: str, cgroup: int | None, ok: bool | None, texts: list[str]
) -> None:
    """[F-25] The one in force, and where it is from; one that leaves no room for copies is a note with its remedy."""
    limit_of_cgroup(monkeypatch, cgroup)
    found = doctor(run, folder, proxy)[1]["memory"]
    assert found["ok"] is ok
    for text in texts:
        assert text in found["text"]
