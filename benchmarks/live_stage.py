"""The stage of the live path's benchmark: nginx as the backend and as the load's floor, stock mitmdump, ours, and a candidate.

The proxy under test has a core of its own; the load, the backends and the shadow share another. Needs `nginx` and `wrk` (Debian's
packages of these names) and two cores.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SIZES = {"1 KiB": "1k.json", "20 KiB": "20k.json"}
CLIENTS = 2_000
"""How many clients the load looks like, each with a session of its own: the mirror keeps each one's order."""
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Saturated:
    """One run at saturation: requests a second, and the CPU microseconds that the measured processes took for each."""

    rate: float
    cpu_us: float


def free_port() -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pids: Sequence[int]) -> float:
    """Time that these processes' threads have been running so far, as the scheduler counts it, which is exact."""
    threads = (thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident_bytes(pid: int) -> int:
    """A process's resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def children(pid: int) -> list[int]:
    """The child processes of a process."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def pin(pids: Sequence[int], cores: Sequence[int]) -> None:
    """Keeps processes with all their threads to these cores."""
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), cores)


def load_command(port: int, file: str, seconds: float, core: int, connections: int) -> list[str]:
    """The command of a load of as many requests as there can be over `connections` keep-alive connections; it stays on `core`."""
    whole = max(1, math.ceil(seconds))
    wrk = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{whole}s", "-s", str(_sessions())]
    return [*wrk, f"http://127.0.0.1:{port}/{file}"]


def saturate(port: int, file: str, pids: Sequence[int], seconds: float, core: int = 0, connections: int = 16) -> Saturated:
    """As many requests as there can be, for `seconds`."""
    before = cpu_seconds(pids)
    command = load_command(port, file, seconds, core, connections)
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = cpu_seconds(pids) - before
    found = re.search(r"(\d+) requests in", out)
    if found is None or "Non-2xx" in out:
        raise SystemExit(f"wrk did not get its answers from port {port}:\n{out}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert rate is not None
    return Saturated(float(rate[1]), spent / int(found[1]) * 1e6)


@cache
def _sessions() -> Path:
    """A script for wrk that gives each request one of the clients' cookies."""
    made = Path(tempfile.mkdtemp(prefix="pg-bench-")) / "sessions.lua"
    atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
    made.write_text(
        "local requests, at = {}, 0\n"
        f"function init() for i = 1, {CLIENTS} do\n"
        '  requests[i] = wrk.format("GET", nil, {["Cookie"] = "sessionid=client" .. i}) end end\n'
        f"function request() at = at % {CLIENTS} + 1; return requests[at] end\n"
    )
    return made


@dataclass
class Stage:
    """What runs. `cores` are (everything else, the proxy under test)."""

    folder: Path
    origin: int
    floor: int
    stock: int
    control: int
    stock_pids: list[int]
    floor_pids: list[int]
    candidate: int
    cores: tuple[int, int]
    stack: ExitStack

    def switch(self, mode: str) -> None:
        """Makes the candidate behave like this."""
        urllib.request.urlopen(f"http://127.0.0.1:{self.control}/{mode}", timeout=5).read()

    @contextmanager
    def ours(self, workers: int = 1, proxy_cores: Sequence[int] | None = None) -> Iterator[Ours]:
        """A proxy and a shadow of ours, at work."""
        folder = self.folder / f"ours-{free_port()}"
        folder.mkdir()
        port, admin = free_port(), free_port()
        (folder / "paritygate.toml").write_text(
            f'[primary]\nurl = "http://127.0.0.1:{self.origin}"\n[candidate]\nurl = "http://127.0.0.1:{self.candidate}"\n'
            f'[proxy]\nlisten = "127.0.0.1:{port}"\nadmin = "127.0.0.1:{admin}"\nworkers = {workers}\n'
            "[rules]\nfiles = []\n[routes]\nopenapi = []\n"
            '[[route]]\nmatch = "GET /{name}"\n'
        )
        with ExitStack() as stack:
            command = [sys.executable, "-P", "-m", "cli.main"]
            subprocess.run([*command, "store", "upgrade"], cwd=folder, check=True, capture_output=True, env=_environment())
            _make_key(folder)
            run(stack, [*command, "shadow"], folder, "shadow.log", self.cores[0])
            pid = run(stack, [*command, "proxy"], folder, "proxy.log", self.cores[0])
            made = Ours(port, admin, pid, folder)
            made.await_ready(workers)
            pin(made.workers, proxy_cores or [self.cores[1]])
            yield made


@dataclass
class Ours:
    """A running proxy of ours: its parent's pid and its addresses."""

    port: int
    admin: int
    pid: int
    folder: Path

    @property
    def workers(self) -> list[int]:
        """The worker processes."""
        return children(self.pid)

    def await_ready(self, workers: int) -> None:
        """Until clients are served and the shadow is there."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                ready = json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=2))
                if ready["ready"] and ready["shadow"] and len(self.workers) == workers:
                    return
            except OSError:
                pass
            time.sleep(0.2)
        logs = "".join((self.folder / name).read_text()[-2000:] for name in ("proxy.log", "shadow.log"))
        raise SystemExit(f"the proxy did not become ready:\n{logs}")

    def mirror(self, on: bool) -> None:
        """Switches mirroring on or off."""
        url = f"http://127.0.0.1:{self.admin}/{'resume' if on else 'pause'}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).read()

    def seen(self) -> int:
        """Requests so far."""
        return int(self.status()["total"]["seen"])

    def dropped(self) -> int:
        """Requests so far that were not copied, since the mirror was behind."""
        return int(self.status()["total"]["skipped"]["queue_full"])

    def status(self) -> dict[str, Any]:
        """The proxy's half of the ledger."""
        return dict(json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/status", timeout=5)))


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Starts everything but ours. Raises SystemExit naming what is missing."""
    for tool in ("nginx", "wrk", "h2load", "taskset"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing; on Debian: apt-get install nginx-light wrk nghttp2-client")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("two cores are needed: one for the proxy under test, one for everything else")
    folder.chmod(0o755)  # nginx reads the files as another user
    www = folder / "www"
    www.mkdir()
    for name, size in (("1k.json", 1000), ("20k.json", 20_000)):
        (www / name).write_text(_document(size))
    origin, floor, stock, candidate, control = (free_port() for _ in range(5))
    with ExitStack() as stack:
        # The floor is a proxy too: its process has the other core. The backend's shares one with the load.
        _nginx(stack, folder, "origin", cores[0], f"server {{ listen 127.0.0.1:{origin}; root {www}; }}")
        front = _nginx(stack, folder, "floor", cores[1], _reverse(origin, floor))
        mitmdump = [str(Path(sys.executable).with_name("mitmdump")), "-q", "--mode", f"reverse:http://127.0.0.1:{origin}"]
        options = ["-p", str(stock), "--listen-host", "127.0.0.1", "--set", f"confdir={folder / 'stock'}"]
        stock_pid = run(stack, [*mitmdump, *options], folder, "stock.log", cores[1])
        module = ["-m", "benchmarks.switchable_candidate"]
        run(stack, [sys.executable, *module, str(candidate), str(control), str(www)], _ROOT, str(folder / "cand.log"), cores[0])
        for port in (origin, floor, stock, control):
            _await_port(port)
        yield Stage(folder, origin, floor, stock, control, [stock_pid], children(front), candidate, (cores[0], cores[1]), stack)


def run(stack: ExitStack, command: Sequence[str], folder: Path, log: str, core: int) -> int:
    """Starts a process on a core and ends it with the stack; its pid."""
    out = stack.enter_context((folder / log).open("wb"))
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command], cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=_environment()
    )

    def end() -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process.pid


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PARITYGATE_")}


def _make_key(folder: Path) -> None:
    from settings.keyfile import make_key

    make_key(folder / "paritygate.key")


def _await_port(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody listens on port {port}")


def _document(size: int) -> str:
    items: list[dict[str, object]] = []
    while len(json.dumps(items)) < size:
        items.append({"id": len(items), "name": f"item {len(items)}", "price": f"{len(items)}.99", "tags": ["a", "b"]})
    return json.dumps(items)


def _nginx(stack: ExitStack, folder: Path, name: str, core: int, body: str) -> int:
    """Starts an nginx with one worker; its pid."""
    (folder / f"{name}.conf").write_text(_CONF % {"folder": folder, "name": name, "body": body})
    return run(stack, ["nginx", "-c", str(folder / f"{name}.conf"), "-g", "daemon off;"], folder, f"{name}.log", core)


def _reverse(origin: int, port: int) -> str:
    return (
        f"upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }} server {{ listen 127.0.0.1:{port}; location / "
        '{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; } }'
    )


_CONF = """worker_processes 1;
error_log %(folder)s/%(name)s-error.log;
pid %(folder)s/%(name)s.pid;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 10000000;
  default_type application/json;
  client_body_temp_path %(folder)s/%(name)s-1;
  proxy_temp_path %(folder)s/%(name)s-2;
  fastcgi_temp_path %(folder)s/%(name)s-3;
  uwsgi_temp_path %(folder)s/%(name)s-4;
  scgi_temp_path %(folder)s/%(name)s-5;
  %(body)s
}
"""
