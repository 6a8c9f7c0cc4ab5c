"""Makes the helpers of this folder importable by a name of their own; one event loop, and one stage for all modules that want no other."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
pytest.register_assert_rewrite("faults_audit", "faults_play", "faults_stage")

from faults_stage import Stage, staged  # noqa: E402


class Shared:
    """The loop on which the backends live (it runs only while a test does) and the stage, made when first asked for."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._context: AbstractAsyncContextManager[Stage] | None = None
        self._stage: Stage | None = None
        self._folder = Path()

    @property
    def runner(self) -> asyncio.Runner:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner

    def stage(self) -> Stage:
        """The stage, as it should be before a module, whatever the one before it has left."""
        if self._stage is None:
            self._folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a short name: a Unix socket's path has at most 107 bytes
            self._context = staged(self._folder)
            self._stage = self.runner.run(self._context.__aenter__())
        self.runner.run(self._stage.recovered())
        return self._stage

    def close(self) -> None:
        """Ends everything; its last words are judged with the last test."""
        context, runner, self._context, self._stage, self._runner = self._context, self._runner, None, None, None
        try:
            if context is not None and runner is not None:
                runner.run(context.__aexit__(None, None, None))
                shutil.rmtree(self._folder, ignore_errors=True)
        finally:
            if runner is not None:
                runner.close()


_shared = Shared()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """No process of this folder outlives its last test."""
    if item.path.parent == HERE and (nextitem is None or nextitem.path.parent != HERE):
        _shared.close()


@pytest.fixture(scope="module")
def runner() -> asyncio.Runner:
    """The loop of the stage."""
    return _shared.runner


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short name, for a stage of a module's own."""
    made = Path(tempfile.mkdtemp(prefix="pg-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def stage(runner: asyncio.Runner, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The common stage, or one of the module's own where it has `SECTIONS` (tables of its configuration)."""
    sections = getattr(request.module, "SECTIONS", None)
    if sections is None:
        yield _shared.stage()
        return
    own = request.getfixturevalue("folder")
    context = staged(own, None, getattr(request.module, "CANDIDATE", "ok"), **sections)
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))
