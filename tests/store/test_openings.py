"""The openings file: exact counts, seen from another process, before and after a kill."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from store.openings import OVERFLOW, OpeningsError, OpeningsFile, named_openings, openings_in, read_openings, spare_folder
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


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for the machine's files in memory."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr("store.openings.SPARE", place)
    return place


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_count(tmp_path: Path, memory: Path) -> None:
    """[F-14] [F-15] The counters go to memory then, and are found there, dead or alive."""
    (tmp_path / "file").write_text("")
    state = tmp_path / "file" / "state"
    file = OpeningsFile.create(state / "openings-b.bin", "b", "n", 1)
    file.seen("GET /a")
    assert file.path.is_relative_to(memory)
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert openings_in(state) == [file.path] == [named_openings(state, "openings-b.bin")]
    assert read_openings(file.path)[0].routes == {"GET /a": {0: 1}}
    file.close()


def test_a_folder_and_a_memory_that_cannot_be_written_are_named(tmp_path: Path, memory: Path) -> None:
    """[F-14] [F-15] Only then there is no proxy, and it is said why."""
    (tmp_path / "file").write_text("")
    memory.rmdir()
    with pytest.raises(OpeningsError, match=r"file/state/o.bin: cannot be made: Not a directory.*nor does memory take it"):
        OpeningsFile.create(tmp_path / "file" / "state" / "o.bin", "b", "n", 1)


def test_a_folder_in_memory_that_others_may_write_to_is_not_used(tmp_path: Path, memory: Path) -> None:
    """Whoever made it first could otherwise make up what a proxy has counted."""
    (tmp_path / "file").write_text("")
    state = tmp_path / "file" / "state"
    spare_folder(state).mkdir()
    spare_folder(state).chmod(0o777)
    (spare_folder(state) / "openings-x.bin").write_bytes(b"made up")
    assert openings_in(state) == []
    with pytest.raises(OpeningsError, match="is no folder of this user alone"):
        OpeningsFile.create(state / "openings-b.bin", "b", "n", 1)


def test_a_full_disk_costs_no_count_and_new_routes_get_their_rows_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[F-14] Until then they are counted together; the disk is asked once a second at the most."""
    file = make(tmp_path, routes=1000)
    asked = []

    def full(*_: int) -> None:
        asked.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("store.openings.os.posix_fallocate", full)
        for number in range(200):
            file.seen(f"GET /{number}")
            file.seen(f"GET /{number}")
        assert asked == [1]
    file.sync()
    for number in range(200):
        file.seen(f"GET /{number}")
    counts = read_openings(file.path)[0].routes
    assert sum(slots[0] for slots in counts.values()) == 600
    assert counts["GET /199"] == {0: 1}
    assert counts["GET /1"] == {0: 3}
    file.close()


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
