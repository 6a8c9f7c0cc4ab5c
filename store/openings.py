"""The proxy's own half of the ledger: one small file per proxy process, mapped into its memory.

Each request makes exactly one increment per transition (seen, ended, and sent for what went over the channel), so that a kill
between any two of them leaves sums that still add up: what was seen and never ended is `open`. An increment is one aligned
8-byte store. It survives the death of the process because the page belongs to the kernel; only a power cut can lose some.

Rows are allocated in blocks and on the disk *before* they are used: a full disk is an error here and never a fault in the
middle of live traffic. Where the state folder takes no file, memory that outlives a process takes it: a proxy that cannot keep its
counters on a disk serves all the same. Knows no database.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

import structlog

from store.opening_counts import OpeningCounts
from traffic.ledger import ANSWERS, COPIES, SEEN_SLOT, SENT_SLOT, SLOTS, opening_slot
from traffic.route import OTHER_METHOD, UNROUTED

PATTERN = "openings-*.bin"
UNFINISHED = ".openings-*.bin.new"
SPARE = Path("/dev/shm")
"""Where a machine keeps files in memory; the openings of a proxy whose state folder takes none go into a folder there."""
OVERFLOW = f"{OTHER_METHOD} {UNROUTED}"
"""The label that takes whatever no row is left for."""

_MAGIC = b"PGOPEN01"
_HEADER = struct.Struct("=8sQQQQ64s256s")  # magic, slots, bytes per row, rows per block, rows in use, boot, node
_HEADER_SIZE = 4096
_ROWS_IN_USE = 32  # offset of that counter
_NAME_SIZE = 512
_ROW_SIZE = (_NAME_SIZE + SLOTS * 8 + 63) // 64 * 64
_BLOCK_ROWS = 64  # a block is a whole number of pages, as 64 * 64 is
_BLOCK_SIZE = _ROW_SIZE * _BLOCK_ROWS
_log = structlog.get_logger("paritygate.proxy")
_SLOT = {(answer, copy): opening_slot(answer, copy) for answer in ANSWERS for copy in COPIES}


class OpeningsError(ValueError):
    """The file cannot be made, or is none of ours; the text names it and says what to do."""


class OpeningsFile:
    """The counters of one proxy process. Not thread-safe: one writer, the event loop's thread."""

    def __init__(self, path: Path, descriptor: int, boot: str, node: str, max_routes: int) -> None:
        self.path, self.boot, self.node = path, boot, node
        self._descriptor = descriptor
        self._max_rows = max_routes
        self._header = memoryview(mmap.mmap(descriptor, _HEADER_SIZE))
        self._blocks: list[memoryview] = []
        self._rows: dict[str, tuple[memoryview, int]] = {}
        self._folded: dict[str, str] = {}
        self._no_room = False

    @classmethod
    def create(cls, path: Path, boot: str, node: str, max_routes: int) -> OpeningsFile:
        """Makes the file (mode 0600) and keeps it locked until `close` or death; see its `path` for where it is.

        Raises OpeningsError when neither the state folder nor the spare one takes it.
        """
        try:
            return cls._create(path, boot, node, max_routes)
        except OpeningsError as error:
            spare = spare_folder(path.parent)
            try:
                with suppress(FileExistsError):
                    spare.mkdir(mode=0o700)
                if not _is_ours(spare):
                    raise OpeningsError(f"{spare}: is no folder of this user alone; remove it")
                made = cls._create(spare / path.name, boot, node, max_routes)
            except (OpeningsError, OSError) as again:
                raise OpeningsError(f"{error}; nor does memory take it: {again}") from error
            _log.error("the openings are kept in memory, a reboot would lose them", reason=str(error), file=str(made.path))
            return made

    @classmethod
    def _create(cls, path: Path, boot: str, node: str, max_routes: int) -> OpeningsFile:
        fresh = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise OpeningsError(f"{path}: cannot be made: {error.strerror}; make its folder writable for this user") from error
        try:
            # Locked before it has its name: whoever finds it without a lock may take the process for dead.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(descriptor, 0, _HEADER_SIZE)
            packed = _HEADER.pack(_MAGIC, SLOTS, _ROW_SIZE, _BLOCK_ROWS, 0, boot.encode()[:64], node.encode()[:256])
            os.pwrite(descriptor, packed, 0)
            made = cls(path, descriptor, boot, node, max(max_routes, 1))
            made._row(OVERFLOW)
            os.rename(fresh, path)
        except OSError as error:
            os.close(descriptor)
            with suppress(OSError):
                fresh.unlink()
            raise OpeningsError(f"{path}: cannot be written: {error.strerror}; free some space on its disk") from error
        return made

    def label(self, route: str) -> str:
        """The label that `route` is counted under: itself, or OVERFLOW once there are too many routes. Never raises."""
        if route in self._rows:
            return route
        known = self._folded.get(route)
        if known is not None:
            return known
        if len(route.encode("utf-8", "replace")) > _NAME_SIZE - 2:
            digest = hashlib.blake2b(route.encode("utf-8", "replace"), digest_size=8).hexdigest()
            shortened = f"{route.encode('utf-8', 'replace')[:400].decode('utf-8', 'ignore')}~{digest}"
            label = self.label(shortened)
        else:
            try:
                if self._no_room:
                    return OVERFLOW
                self._row(route)
                return route
            except OSError:  # no space left: counted together until the next `sync`, when it is tried again
                self._no_room = True
                return OVERFLOW
            except IndexError:  # no row left: counted together rather than not at all
                label = OVERFLOW
        if len(self._folded) < 65536:
            self._folded[route] = label
        return label

    def seen(self, route: str) -> None:
        """A request of `route` has begun."""
        view, base = self._find(route)
        view[base + SEEN_SLOT] += 1

    def sent(self, route: str) -> None:
        """An exchange of `route` is being written to the channel; it will never be written again."""
        view, base = self._find(route)
        view[base + SENT_SLOT] += 1

    def ended(self, route: str, answer: str, copy: str) -> None:
        """A request got its answer and its copy's fate. Raises ValueError for a name outside traffic.ledger's sets."""
        slot = _SLOT.get((answer, copy))
        if slot is None:
            raise ValueError(f"({answer!r}, {copy!r}) is no pair of an answer and a copy of the ledger")
        view, base = self._find(route)
        view[base + slot] += 1

    def counts(self) -> OpeningCounts:
        """The present state, as `read_openings` would read it."""
        routes = {}
        for route, (view, base) in self._rows.items():
            slots = {i: view[base + i] for i in range(SLOTS) if view[base + i]}
            if slots:
                routes[route] = slots
        return OpeningCounts(self.boot, self.node, routes)

    def sent_counts(self) -> dict[str, int]:
        """How many exchanges of each route were written to the channel so far."""
        return {route: view[base + SENT_SLOT] for route, (view, base) in self._rows.items() if view[base + SENT_SLOT]}

    def sync(self) -> None:
        """Asks the disk to keep what was counted. May block: call it from a thread, about once a second."""
        self._no_room = False
        if self._descriptor >= 0:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Gives up the lock; from then on the counts are those of a dead proxy."""
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing is not enough: the mappings hold duplicates
            os.close(self._descriptor)
            self._descriptor = -1

    def _find(self, route: str) -> tuple[memoryview, int]:
        found = self._rows.get(route)
        return found if found is not None else self._rows[self.label(route)]

    def _row(self, route: str) -> None:
        """Takes the next row for `route`: first the name, then the count that makes the row visible."""
        number = len(self._rows)
        if number >= self._max_rows + 1:  # the overflow row is besides the others
            raise IndexError(number)
        block, place = divmod(number, _BLOCK_ROWS)
        if block == len(self._blocks):
            offset = _HEADER_SIZE + block * _BLOCK_SIZE
            os.posix_fallocate(self._descriptor, offset, _BLOCK_SIZE)
            self._blocks.append(memoryview(mmap.mmap(self._descriptor, _BLOCK_SIZE, offset=offset)))
        name = route.encode("utf-8", "replace")
        start = place * _ROW_SIZE
        self._blocks[block][start : start + 2 + len(name)] = len(name).to_bytes(2, "little") + name
        self._rows[route] = (self._blocks[block].cast("Q"), (start + _NAME_SIZE) // 8)
        self._header.cast("Q")[_ROWS_IN_USE // 8] = number + 1


def spare_folder(state_dir: Path) -> Path:
    """The folder in memory for the openings of proxies whose state folder takes none."""
    digest = hashlib.blake2b(os.fsencode(state_dir.absolute()), digest_size=8).hexdigest()
    return SPARE / f"paritygate-{os.getuid()}-{digest}"


def openings_in(state_dir: Path, pattern: str = PATTERN) -> list[Path]:
    """The openings files of a machine's proxies, the dead ones' too, wherever they are."""
    spare = spare_folder(state_dir)
    return sorted((*state_dir.glob(pattern), *(spare.glob(pattern) if _is_ours(spare) else ())))


def named_openings(state_dir: Path, name: str) -> Path:
    """Where the openings file of that name is; in the state folder when it is nowhere."""
    return next((path for path in openings_in(state_dir) if path.name == name), state_dir / name)


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder that nobody else can have put anything into: others may write beside it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def read_openings(path: Path) -> tuple[OpeningCounts, bool]:
    """What a proxy has counted, and whether it is alive. Raises OpeningsError for a file that is none of ours or gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise OpeningsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return read_openings_of(descriptor, path)
    finally:
        os.close(descriptor)


def read_openings_of(descriptor: int, path: Path) -> tuple[OpeningCounts, bool]:
    """The same of an open file, which may have lost its name; `path` is for messages."""
    try:
        alive = _is_locked(descriptor)  # asked first: a proxy that dies while we read is read again next time
        # Ends are read before beginnings: a request that ends in between shows as open, never as a negative number.
        ends = _read_all(descriptor)
        beginnings = _read_all(descriptor)
    except OSError as error:
        raise OpeningsError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return _parse(ends, beginnings, not alive), alive
    except (struct.error, ValueError, IndexError) as error:
        raise OpeningsError(f"{path}: is no openings file of this version; move it away") from error


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _read_all(descriptor: int) -> bytes:
    pieces, offset = [], 0
    while piece := os.pread(descriptor, 1 << 20, offset):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def _parse(ends: bytes, beginnings: bytes, closed: bool) -> OpeningCounts:
    magic, slots, row_size, _, rows, boot, node = _HEADER.unpack_from(ends)
    if magic != _MAGIC or slots != SLOTS or row_size != _ROW_SIZE or len(ends) < _HEADER_SIZE + rows * row_size:
        raise ValueError("foreign")
    routes: dict[str, dict[int, int]] = {}
    for number in range(rows):
        start = _HEADER_SIZE + number * row_size
        length = int.from_bytes(ends[start : start + 2], "little")
        name = ends[start + 2 : start + 2 + length].decode("utf-8")
        values = list(struct.unpack_from(f"={SLOTS}Q", ends, start + _NAME_SIZE))
        values[SEEN_SLOT] = struct.unpack_from("=Q", beginnings, start + _NAME_SIZE + 8 * SEEN_SLOT)[0]
        counted = {slot: value for slot, value in enumerate(values) if value}
        if counted:
            routes[name] = counted
    return OpeningCounts(boot.rstrip(b"\0").decode(), node.rstrip(b"\0").decode(), routes, closed)
