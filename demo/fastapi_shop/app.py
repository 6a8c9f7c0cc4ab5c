"""What uvicorn serves: the port's routes, its database seeded at start-up, and the build's name on every answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demo.fastapi_shop.database import engine, seed_if_empty
from demo.fastapi_shop.planted import BUILD
from demo.fastapi_shop.routes import accounts, admin, benchmark, catalogue, checkout, pages, reporting

log = logging.getLogger(__name__)


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    seed_if_empty()
    yield
    engine.dispose()


class Edge:
    """What stands around the whole port: `X-Build` on every answer, the framework's own 500 included, and the log of errors.

    The framework answers an unhandled error with a 500 and raises it again. uvicorn would then close the connection without having
    said so, and the next request on it, one for another route, would be lost; so the error ends here.
    """

    def __init__(self, app: ASGIApp, build: str) -> None:
        self._app = app
        self._header = (b"x-build", build.encode("ascii"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def send_with_build(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), self._header]}
            answered = answered or (message["type"] == "http.response.body" and not message.get("more_body", False))
            await send(message)

        try:
            await self._app(scope, receive, send_with_build)
        except Exception:
            if not answered:
                raise
            log.exception("%s %s was answered with 500", scope.get("method"), scope.get("path"))


def create_app() -> FastAPI:
    """The port itself."""
    app = FastAPI(title="The Shop", version=BUILD, docs_url=None, redoc_url=None, lifespan=_lifespan)
    for part in (accounts, catalogue, checkout, reporting, admin, benchmark, pages):
        app.include_router(part.router)
    app.include_router(catalogue.anonymous_router)
    return app


application = Edge(create_app(), BUILD)
