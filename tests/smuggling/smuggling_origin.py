"""A real server with a small app that writes down each request it was given: `smuggling_origin.py SERVER PORT LOG`.

A line of LOG is one request as the app saw it, written when its body has been read to its end, or could not be.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from typing import Any

OK = b"seen\n"
LOG = -1


def note(ids: str, method: str, path: bytes, body: bytes, complete: bool) -> None:
    """One line, in one write: processes may share the file."""
    entry = {
        "id": ids,
        "method": method,
        "path": path.hex(),
        "body": hashlib.sha256(body).hexdigest(),
        "size": len(body),
        "complete": complete,
    }
    os.write(LOG, json.dumps(entry).encode() + b"\n")


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    path = environ["PATH_INFO"].encode("latin-1")
    body, complete = b"", False
    try:
        body = environ["wsgi.input"].read()
        length = environ.get("CONTENT_LENGTH") or ""
        complete = not length or len(body) == int(length)
    finally:
        note(environ.get("HTTP_X_ID", ""), environ["REQUEST_METHOD"], path, body, complete)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(OK)))])
    return [OK]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        return
    body, complete = b"", False
    while not complete:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        complete = not message.get("more_body")
    ids = b",".join(value for name, value in scope["headers"] if name == b"x-id").decode("latin-1")
    note(ids, scope["method"], scope["path"].encode("utf-8", "surrogateescape"), body, complete)
    length = str(len(OK)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"text/plain"), (b"content-length", length)],
        }
    )
    await send({"type": "http.response.body", "body": OK})


def gunicorn(port: int, threads: bool) -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            given = {"bind": f"127.0.0.1:{port}", "workers": 6, "timeout": 60, "loglevel": "critical"}
            if threads:  # unlike sync workers, these keep connections
                given |= {"workers": 2, "worker_class": "gthread", "threads": 8, "keepalive": 30}
            for name, value in given.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return wsgi

    Application().run()


def waitress(port: int) -> None:
    from waitress import serve

    serve(wsgi, listen=f"127.0.0.1:{port}", threads=8, connection_limit=1000)


def uvicorn(port: int, reader: str) -> None:
    import uvicorn as server

    server.run(
        asgi, host="127.0.0.1", port=port, http=reader, lifespan="off", log_level="critical", ws="none", timeout_keep_alive=60
    )


def hypercorn(port: int) -> None:
    import asyncio

    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.loglevel = "CRITICAL"
    asyncio.run(serve(asgi, config))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    kind, given = sys.argv[1], int(sys.argv[2])
    LOG = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    if kind.startswith("uvicorn-"):
        uvicorn(given, kind.partition("-")[2])
    elif kind.startswith("gunicorn"):
        gunicorn(given, kind.endswith("gthread"))
    else:
        {"waitress": waitress, "hypercorn": hypercorn}[kind](given)
