"""`status` reads the opening counts itself: neither a shadow that is down nor a file that is junk may hide what was seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cli.overview import current_ledgers
from settings.model import Settings
from store.database import open_store
from store.openings import OpeningsFile
from traffic.ledger import HANDED, SERVED_PRIMARY, Ledger


def ledgers(settings: Settings) -> dict[str, Ledger]:
    async def read() -> dict[str, Ledger]:
        store = open_store(settings.store_url)
        await store.upgrade()
        try:
            return await current_ledgers(store, settings)
        finally:
            await store.close()

    return asyncio.run(read())


def test_a_dead_proxy_whose_books_nobody_has_closed_is_shown(tmp_path: Path) -> None:
    settings = Settings().located(tmp_path, None)
    file = OpeningsFile.create(settings.state_dir / "openings-b.bin", "b", "n", 10)
    for _ in range(3):
        file.seen("GET /a")
    file.ended("GET /a", SERVED_PRIMARY, HANDED)
    file.close()
    ledger = ledgers(settings)["GET /a"]
    assert (ledger.seen, ledger.open, ledger.pending, ledger.served_primary) == (3, 2, 1, 1)
    assert ledger.violations() == []
    assert file.path.exists()


def test_a_junk_file_is_told_and_the_rest_is_shown(tmp_path: Path, capsys) -> None:
    settings = Settings().located(tmp_path, None)
    file = OpeningsFile.create(settings.state_dir / "openings-b.bin", "b", "n", 10)
    file.seen("GET /a")
    (settings.state_dir / "openings-x.bin").write_bytes(b"junk")
    assert ledgers(settings)["GET /a"].seen == 1
    assert "openings-x.bin: is no openings file" in capsys.readouterr().err.replace("\n", " ")
    file.close()
