"""A document that is fetched is there in time or not at all."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.fetch import FetchError, fetch
from settings.load import load_settings
from settings.routes import load_route_table


class Server:
    """Answers one connection after the other with `begins`, then with `drips` bit by bit."""

    def __init__(self, begins: bytes, drips: bytes = b"") -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/openapi.json"
        self._begins, self._drips = begins, drips
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                try:
                    client.recv(65536)
                    client.sendall(self._begins)
                    for _ in range(600 if self._drips else 0):
                        time.sleep(0.02)
                        client.sendall(self._drips)
                except OSError:
                    continue

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    made: list[Server] = []
    yield made
    for one in made:
        one.close()


@pytest.mark.parametrize(
    "begins",
    [b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"],
    ids=["in its head", "in its body"],
)
def test_a_server_that_drips_holds_nobody_up(servers: list[Server], begins: bytes) -> None:
    """[F-4] Each byte comes within every timeout of httpx, and the whole would take for ever."""
    servers.append(Server(begins, b"a"))
    begun = time.monotonic()
    with pytest.raises(FetchError, match=r"not complete within 0\.3 s"):
        fetch(servers[0].url, 1_000_000, 0.3)
    assert time.monotonic() - begun < 5


def test_too_much_is_too_much(servers: list[Server]) -> None:
    servers.append(Server(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000))
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        fetch(servers[0].url, 1000, 5.0)
    assert fetch(servers[0].url, 2000, 5.0) == b"x" * 2000


def test_the_last_good_copy_stands_in_and_a_damaged_one_is_as_good_as_none(servers: list[Server], tmp_path: Path) -> None:
    """[F-28] A copy that was half written when the machine went down keeps no proxy from starting."""
    body = json.dumps({"openapi": "3.1.0", "paths": {"/items/{id}": {"get": {}}}}).encode()
    server = Server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    config = tmp_path / "paritygate.toml"
    config.write_text(f'[routes]\nopenapi = ["{server.url}"]\n')
    settings = load_settings(config)
    assert [route.label for route in load_route_table(settings, []).routes.values()] == ["GET /items/{id}"]
    server.close()
    warnings: list[str] = []
    assert [route.label for route in load_route_table(settings, warnings).routes.values()] == ["GET /items/{id}"]
    assert "the copy of the last good fetch is used" in warnings[0]
    copy = settings.state_dir / "openapi.json"
    whole = copy.read_bytes()
    for text in (whole[: len(whole) // 2], b"", b"[]", b"\xff"):
        copy.write_bytes(text)
        warnings.clear()
        assert load_route_table(settings, warnings).routes == {}
        assert "routes are unknown until it answers" in warnings[0]
    assert [file.name for file in settings.state_dir.iterdir()] == ["openapi.json"]
