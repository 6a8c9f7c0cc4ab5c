"""The import order of the rooms, and the purity of the pure ones, as docs/architecture.md states them."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT: dict[str, set[str]] = {
    "traffic": set(),
    "rules": {"traffic"},
    "differ": {"traffic", "rules"},
    "gate": {"traffic"},
    "settings": {"traffic", "rules", "gate"},
    "store": {"traffic", "differ", "gate", "settings"},
    "proxy": {"traffic", "gate", "store", "settings"},
    "shadow": {"traffic", "rules", "differ", "gate", "store", "settings"},
    "export": {"traffic", "rules", "differ", "gate", "store", "settings"},
    "dashboard": {"traffic", "rules", "differ", "gate", "store", "settings", "export"},
    "cli": {
        "traffic", "rules", "differ", "gate", "store", "settings", "export", "dashboard", "proxy", "shadow", "demo",
    },
    "demo": set(),
}  # fmt: skip
PURE = ("traffic", "rules", "differ", "gate")
IO_MODULES = {
    "asyncio", "aiosqlite", "http", "httpx", "mitmproxy", "os", "pathlib", "random", "requests", "secrets", "select", "shutil",
    "socket", "sqlalchemy", "sqlite3", "ssl", "streamlit", "subprocess", "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip
MAX_LINES = 400


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_room_imports_only_what_the_order_allows(room: str) -> None:
    assert sources(room), f"{room}/ has no sources"
    for path in sources(room):
        ours = {name.partition(".")[0] for name in imported(path)} & set(MAY_IMPORT)
        assert ours - {room} <= MAY_IMPORT[room], path.relative_to(ROOT)


@pytest.mark.parametrize("room", PURE)
def test_pure_room_imports_no_io(room: str) -> None:
    for path in sources(room):
        names = imported(path)
        assert not {name for name in names if name in IO_MODULES or name.partition(".")[0] in IO_MODULES}, path.relative_to(
            ROOT
        )


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_files_stay_small(room: str) -> None:
    for path in sources(room):
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines"


def test_scripts_folders_hide_no_room() -> None:
    """mitmproxy and Streamlit put a script's folder first on sys.path: a module named like a room would hide it."""
    for room in ("proxy", "dashboard"):
        assert not {path.stem for path in (ROOT / room).iterdir()} & set(MAY_IMPORT)


def test_each_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (item for group in groups for item in group):
        assert ">=" in requirement, requirement


def test_lock_files_are_hash_pinned_and_name_no_index() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert locks
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "index-url" not in text
