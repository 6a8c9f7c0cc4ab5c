"""Metrics that workers report: what memory keeps them from copying, and how long the certificate that clients get still holds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from crew_stage import crewed, until

from proxy import memory_ceiling
from proxy.memory_ceiling import MemoryCeiling
from tests.certificates import make_pair

MIB = 1024 * 1024
EXPIRES = "paritygate_tls_certificate_expires_seconds"


async def values(s: Any, name: str) -> dict[str, float]:
    """The samples of a metric by their labels, as the admin listener shows them."""
    lines = (await s.admin("GET", "/metrics")).text.splitlines()
    found = (line.removeprefix(name).rpartition(" ") for line in lines if line.startswith((f"{name} ", f"{name}{{")))
    return {labels: float(value) for labels, _, value in found}


def test_what_memory_keeps_from_being_copied_is_a_gauge(stage: Any, monkeypatch: Any) -> None:
    """[F-25] 0, 1 and 2 as the ceiling comes nearer, and back; no more than one label for each worker."""
    resident = 10 * MIB
    monkeypatch.setattr(memory_ceiling, "resident_bytes", lambda: resident)
    monkeypatch.setattr(MemoryCeiling.run, "__defaults__", (0.02,))

    async def scenario() -> None:
        nonlocal resident
        async with stage(proxy={"max_memory": 100 * MIB}) as s:
            for mib, expected in ((10, 0), (85, 1), (96, 2), (10, 0)):
                resident = mib * MIB

                async def shown(expected: int = expected) -> bool:
                    return await values(s, "paritygate_worker_copying_reduced") == {'{worker="0"}': expected}

                await until(shown, f"the gauge is {expected}")

    asyncio.run(scenario())


def test_without_tls_no_certificate_is_told_of(stage: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            assert await values(s, EXPIRES) == {}

    asyncio.run(scenario())


def test_the_seconds_until_the_certificate_expires_follow_a_renewal(stage: Any, folder: Path) -> None:
    """Negative once it has expired: it is served all the same, and somebody should be told."""
    pair = make_pair(folder, days=(-10, -1))
    day = 24 * 3600

    async def scenario() -> None:
        async with stage(proxy=pair.section) as s:
            assert abs((await values(s, EXPIRES))[""] + day) < 60
            make_pair(folder, days=(-1, 30))

            async def renewed() -> bool:
                return abs((await values(s, EXPIRES))[""] - 30 * day) < 60

            await until(renewed, "the new certificate's end is shown")

    asyncio.run(scenario())


def test_both_come_from_the_workers_to_the_parent(folder: Path, backend_and_shadow: Any) -> None:
    """[F-25] Two worker processes over a ceiling of 16 MiB, which each has passed before it serves anybody."""
    pair = make_pair(folder)
    lines = f'tls_certificate = "{pair.certificate}"\ntls_key = "{pair.key}"\nmax_memory = "16MiB"'

    async def scenario() -> None:
        async with crewed(folder, *backend_and_shadow, proxy=lines) as s:

            async def reported() -> bool:
                found = await values(s, "paritygate_worker_copying_reduced")
                return found == {'{worker="0"}': 2, '{worker="1"}': 2}

            await until(reported, "both workers copy nothing")
            expires = await values(s, EXPIRES)
            assert list(expires) == [""]
            assert abs(expires[""] - 30 * 24 * 3600) < 120

    asyncio.run(scenario())
