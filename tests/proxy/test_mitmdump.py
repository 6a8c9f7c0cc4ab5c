"""`mitmdump --mode reverse:URL -s proxy/addon.py`, as people would start it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def test_the_addon_runs_in_mitmdump(stage: Any, folder: Path, wait: Any, send: Any) -> None:
    async def scenario() -> None:
        async with stage() as s:
            await s.admin("POST", "/drain")
            await asyncio.wait([s.task], timeout=10)
            for file in s.settings.state_dir.glob("openings-*"):
                file.unlink()
            config = folder / "paritygate.toml"
            config.write_text(
                f"[primary]\nurl = {json.dumps(s.settings.primary.url)}\n[candidate]\nurl = {json.dumps(s.settings.candidate.url)}\n"
                '[[route]]\nmatch = "GET /items/{id}"\n'
            )
            command = [
                str(Path(sys.executable).with_name("mitmdump")),
                "-q",
                "--mode",
                f"reverse:{s.settings.primary.url}",
                "--listen-host",
                "127.0.0.1",
                "--listen-port",
                str(s.port),
                "--set",
                f"confdir={folder / 'conf'}",
                "-s",
                str(ROOT / "proxy" / "addon.py"),
            ]
            env = {**os.environ, "PYTHONPATH": str(ROOT), "PARITYGATE_CONFIG": str(config), "HOME": str(folder)}
            log = folder / "mitmdump.log"
            with log.open("wb") as output:
                child = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=env, stdout=output, stderr=output)
            try:
                await wait(lambda: len(s.shadow.hellos) == 2 or child.returncode is not None, "mitmdump's hello", 30)
                assert child.returncode is None, log.read_text()
                raw = b"HTTP/1.1 200 OK\r\nX-b: 1\r\nx-B: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"
                hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                s.primary.says(b"/t", hints + raw)
                assert (await s.ask("/t")).raw == hints + raw
                assert (await s.ask("/items/1")).body == b"primary /items/1 "
                assert s.primary.asked[-1].values(b"host") == [b"shop.test"]
                assert (await s.ask(raw=b"GARBAGE\r\n\r\n")).body == b"400 Bad Request\n"
                await s.primary.stop()
                assert (await s.ask("/items/1")).body == b"502 Bad Gateway\n"
                ledger = await s.at_rest(4)
                assert ledger.served_primary == ledger.pending == 2
                assert ledger.refused == {"malformed": 1, "upstream_unreachable": 1}
                await wait(lambda: len(s.shadow.exchanges) == 2)
            finally:
                child.send_signal(signal.SIGTERM)
                async with asyncio.timeout(15):
                    await child.wait()

    asyncio.run(scenario())
