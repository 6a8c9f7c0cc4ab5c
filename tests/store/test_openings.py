"""The openings file: exact counts, seen from another process, before and after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from store.openings import OVERFLOW, OpeningsError, OpeningsFile, read_openings
from traffic.ledger import ANSWERS, COPIES, HANDED, SERVED_PRIMARY, build_ledger

ROOT = Path(__file__).resolve().parents[2]


def make(folder: Path, routes: int = 100) -> OpeningsFile:
    return OpeningsFile.create(folder / "openings-b1.bin", "b1", "here", routes)


def test_what_was_counted_is_read_back_exactly(tmp_path: Path) -> None:
    file = make(tmp_path)
    for _ in range(3):
        file.seen("GET /a")
    file.ended("GET /a", SERVED_PRIMARY, HANDED)
    file.sent("GET /a")
    file.ended("GET /a", "refused:client_gone", "skipped:client_gone")
    counts, alive = read_openings(file.path)
    ledger = build_ledger(counts.routes["GET /a"], [])
    assert alive
    assert (ledger.seen, ledger.served_primary, ledger.open, ledger.pending) == (3, 1, 1, 1)
    assert ledger.refused == {"client_gone": 1}
    assert (counts.boot, counts.node, counts.closed) == ("b1", "here", False)
    assert file.counts().routes == counts.routes
    assert file.sent_counts() == {"GET /a": 1}
    file.close()


def test_a_closed_file_reads_as_that_of_a_dead_proxy(tmp_path: Path) -> None:
    file = make(tmp_path)
    file.seen("GET /a")
    file.close()
    counts, alive = read_openings(file.path)
    assert not alive
    assert counts.closed
    assert counts.routes == {"GET /a": {0: 1}}


def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    file = make(tmp_path / "state")
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    file.close()


def test_routes_beyond_the_limit_are_counted_together_and_none_is_lost(tmp_path: Path) -> None:
    file = make(tmp_path, routes=5)
    for i in range(20):
        label = file.label(f"GET /{i}")
        assert label == (f"GET /{i}" if i < 5 else OVERFLOW)
        file.seen(label)
    counts, _ = read_openings(file.path)
    assert sum(slots[0] for slots in counts.routes.values()) == 20
    assert counts.routes[OVERFLOW] == {0: 15}
    file.close()


def test_more_routes_than_one_block_holds(tmp_path: Path) -> None:
    file = make(tmp_path, routes=1000)
    for i in range(600):
        file.seen(f"GET /route/{i}")
    counts, _ = read_openings(file.path)
    assert len(counts.routes) == 600
    assert all(slots == {0: 1} for slots in counts.routes.values())
    file.close()


def test_a_very_long_label_is_shortened_and_stays_unique(tmp_path: Path) -> None:
    file = make(tmp_path)
    one, two = (file.label("GET /" + "ä" * 600 + tail) for tail in "12")
    assert one != two
    assert len(one.encode()) < 500
    file.seen(one)
    assert read_openings(file.path)[0].routes == {one: {0: 1}}
    file.close()


def test_a_name_outside_the_closed_sets_is_an_error(tmp_path: Path) -> None:
    file = make(tmp_path)
    with pytest.raises(ValueError, match="no pair"):
        file.ended("GET /a", "served", HANDED)
    file.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OpeningsError, match="file/state"):
        OpeningsFile.create(tmp_path / "file" / "state" / "o.bin", "b", "n", 1)


@pytest.mark.parametrize("content", [b"", b"x" * 10, b"x" * 10_000, b"PGOPEN01" + b"\xff" * 5000])
def test_a_foreign_file_is_an_error_and_no_crash(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "openings-x.bin"
    path.write_bytes(content)
    with pytest.raises(OpeningsError, match="no openings file"):
        read_openings(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OpeningsError, match="cannot be read"):
        read_openings(tmp_path / "none.bin")


@given(st.lists(st.tuples(st.sampled_from(ANSWERS), st.sampled_from(COPIES), st.integers(0, 3)), max_size=60))
@examples(max_examples=25, deadline=None)
def test_the_ledger_equations_hold_at_every_moment(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    file = make(tmp_path_factory.mktemp("openings"))
    for answer, copy, route in steps:
        file.seen(f"GET /{route}")
        assert not build_ledger(file.counts().routes[f"GET /{route}"], []).violations()
        file.ended(f"GET /{route}", answer, copy)
        assert not build_ledger(file.counts().routes[f"GET /{route}"], []).violations()
    totals = [build_ledger(slots, []) for slots in read_openings(file.path)[0].routes.values()]
    assert sum(ledger.seen for ledger in totals) == len(steps)
    assert sum(ledger.open for ledger in totals) == 0
    file.close()


CHILD = """
import sys
from pathlib import Path
from store.openings import OpeningsFile
from traffic.ledger import HANDED, SERVED_PRIMARY
file = OpeningsFile.create(Path(sys.argv[1]), "killed", "n", 10)
for i in range(1000):
    file.seen("GET /a")
    if i % 4:
        file.ended("GET /a", SERVED_PRIMARY, HANDED)
print("counted", flush=True)
sys.stdin.read()
"""


def test_a_kill_loses_nothing_and_the_dead_proxys_lock_is_free(tmp_path: Path) -> None:
    path = tmp_path / "openings-killed.bin"
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=dict(os.environ)
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"counted\n"
        assert read_openings(path)[1]
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)
    counts, alive = read_openings(path)
    ledger = build_ledger(counts.routes["GET /a"], [])
    assert not alive
    assert (ledger.seen, ledger.served_primary, ledger.open) == (1000, 750, 250)
    assert ledger.violations() == []
