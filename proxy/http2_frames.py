"""The frames of one client's HTTP/2 connection: h2's state machine with bounds, and with patience where only one stream is at fault.

h2 ends the whole connection for whatever one request does wrong, forgets what it has read before a fault, ends everything when the
client says that it will ask no more, and counts nothing: who floods it with small frames is served. This mends that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event, RemoteSettingsChanged, StreamReset, WindowUpdated
from h2.exceptions import DenialOfServiceError, ProtocolError, TooManyStreamsError
from h2.settings import SettingCodes, Settings
from h2.stream import StreamState
from hyperframe.exceptions import HyperframeError
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame, RstStreamFrame, WindowUpdateFrame

from proxy.raw_head import MAX_HEAD

MOST_STREAMS = 100
"""Requests that a client may have under way at once on one connection."""
STREAM_WINDOW = 512 * 1024
"""Bytes of one request's body that may be with us before its backend has taken them."""
CONNECTION_WINDOW = 8 * 1024 * 1024
"""The same for all requests of a connection together."""
MOST_RESETS, RESETS_PER_S = 200, 20.0
"""Requests that a client may give up at once, and from then on, and one more for each two that it takes the answer of: each has
cost us more than it (CVE-2023-44487, CVE-2025-8671)."""
MOST_IDLE_FRAMES, IDLE_FRAMES_PER_S = 1000, 100.0
"""Frames that ask for nothing: PING, SETTINGS, PRIORITY, empty DATA, and such. One more for each answer that it takes."""
UPDATES_PER_FRAME = 10
"""WINDOW_UPDATEs for each DATA frame of ours, beyond the first MOST_IDLE_FRAMES."""
SMALL_GRANT = 256
"""A window opened by less than this, though more waits, is an idle frame too."""
_TOLERATED = 4 * MAX_HEAD
"""A head over MAX_HEAD is answered with 431; one over this ends the connection."""
_FRAME = 16_384
_HEADER_TABLE = 4096
"""Bytes of headers that we remember for a client, however many it offers to."""

_HIGH_STREAM = 2**31 - 1


class Allowance:
    """So many at once, and so many a second from then on."""

    def __init__(self, most: int, per_s: float, clock: Callable[[], float]) -> None:
        self._most, self._per_s, self._clock = most, per_s, clock
        self._left = float(most)
        self._at = clock()

    def spend(self) -> bool:
        """Takes one; False when there is none left."""
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        self._left -= 1
        return self._left >= 0

    def earn(self, more: float) -> None:
        """Gives some back."""
        self._left = min(self._most, self._left + more)


@dataclass(slots=True)
class StreamFault(Event):
    """One stream broke the rules; the connection goes on."""

    stream_id: int


@dataclass(slots=True)
class Leaves(Event):
    """The client will ask no more. What it waits for, it still wants."""


@dataclass(slots=True)
class Ended(Event):
    """The connection cannot go on; GOAWAY waits to be sent."""

    code: int
    reason: str


@dataclass(slots=True)
class _Outgoing:
    pieces: deque[memoryview] = field(default_factory=deque)
    size: int = 0
    ended: bool = False
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)


class ClientFrames(H2Connection):
    """Takes the client's bytes and gives h2's events and those above; takes answers and gives the bytes for the client."""

    MAX_CLOSED_STREAMS = 1024
    """Remembered per connection, for frames that come too late; h2's own choice is 65,536."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(
            H2Configuration(
                client_side=False,
                header_encoding=False,
                validate_inbound_headers=True,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._outgoing: dict[int, _Outgoing] = {}
        self._resets = Allowance(MOST_RESETS, RESETS_PER_S, clock)
        self._idle = Allowance(MOST_IDLE_FRAMES, IDLE_FRAMES_PER_S, clock)
        self._updates_left = MOST_IDLE_FRAMES
        self.waiting_in_all = 0
        """Bytes of answers that the client gives no window for."""
        self.heads = 0
        """Requests' heads that have come in full."""

    def begin(self) -> None:
        """Says hello: our settings and our window."""
        offered = {
            SettingCodes.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
            SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
        }
        self.local_settings = Settings(client=False, initial_values=offered)
        self.initiate_connection()
        self.increment_flow_control_window(CONNECTION_WINDOW - self.inbound_flow_control_window)
        # Who does not know our bounds yet, or goes a little over them, is refused by stream: h2 would end the connection.
        self.local_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 2 * MOST_STREAMS
        self.local_settings.acknowledge()
        self.decoder.max_header_list_size = _TOLERATED

    def receive(self, data: bytes) -> Iterator[Event]:
        """What these bytes say, one event after the other as they are taken; the last may be `Ended`. Never raises."""
        buffer = self.incoming_buffer
        buffer.max_frame_size = _FRAME
        try:
            buffer.add_data(data)
            for frame in buffer:
                self._count(frame)
                for event in self._receive_frame(frame):
                    if isinstance(event, StreamReset | StreamFault):
                        self._forget(event.stream_id or 0)
                        if not self._resets.spend():
                            raise DenialOfServiceError("too many requests that were given up")
                    yield event
            if sum(len(frame.data) for frame in buffer._headers_buffer) > _TOLERATED:
                raise DenialOfServiceError("a head without an end")
        except ProtocolError as error:
            yield self._end(ErrorCodes(error.error_code), str(error))
        except (HyperframeError, ValueError, IndexError, KeyError) as error:  # h2's own, on bytes that it did not foresee
            yield self._end(ErrorCodes.PROTOCOL_ERROR, type(error).__name__)

    def head_begun(self) -> bool:
        """Whether the client owes us the rest of a head."""
        buffer = self.incoming_buffer
        begun = 0 < buffer._preamble_len < 24 or bool(buffer._headers_buffer)
        return begun or (len(buffer._data) > 3 and buffer._data[3] in (HeadersFrame.type, 9))

    def open_for_us(self, stream_id: int) -> bool:
        """Whether this stream still takes something from us."""
        stream = self.streams.get(stream_id)
        closed = (StreamState.HALF_CLOSED_LOCAL, StreamState.CLOSED)
        return stream is not None and stream.state_machine.state not in closed and self._may_send()

    def send(self, stream_id: int, data: bytes) -> None:
        """A piece of an answer's body, sent as the client's windows allow."""
        if data and self.open_for_us(stream_id):
            waits = self._outgoing.setdefault(stream_id, _Outgoing())
            waits.pieces.append(memoryview(data))
            waits.size += len(data)
            self.waiting_in_all += len(data)
            self._pump(stream_id)

    def end(self, stream_id: int, trailers: list[tuple[bytes, bytes]]) -> None:
        """The end of an answer, behind what still waits."""
        if self.open_for_us(stream_id):
            waits = self._outgoing.setdefault(stream_id, _Outgoing())
            waits.ended, waits.trailers = True, trailers
            self._resets.earn(0.5)
            self._idle.earn(1.0)
            self._pump(stream_id)

    def reset(self, stream_id: int, code: ErrorCodes) -> None:
        """Ends a stream at once, if it is still open on either side."""
        self._forget(stream_id)
        stream = self.streams.get(stream_id)
        if stream is not None and not stream.closed and self._may_send():
            self.reset_stream(stream_id, code)

    def waiting(self, stream_id: int) -> int:
        """Bytes of this stream's answer that wait for a window."""
        waits = self._outgoing.get(stream_id)
        return waits.size if waits is not None else 0

    def leave(self, final: bool) -> None:
        """Tells the client to ask elsewhere from now on. What is not `final` leaves it time to hear of that: nothing is refused yet."""
        if self._may_send():
            last = self.highest_inbound_stream_id if final else _HIGH_STREAM
            self._prepare_for_sending([GoAwayFrame(0, last_stream_id=last)])

    def _may_send(self) -> bool:
        return self.state_machine.state.name != "CLOSED"

    def _end(self, code: ErrorCodes, reason: str) -> Ended:
        if self._may_send():
            self.close_connection(code)
        self._outgoing.clear()
        self.waiting_in_all = 0
        return Ended(code, reason)

    def _receive_frame(self, frame: Any) -> list[Event]:
        if isinstance(frame, GoAwayFrame):
            return [Leaves()]
        try:
            events = super()._receive_frame(frame)
        except ProtocolError as error:
            if not self._of_one_stream(frame, error):
                raise
            if isinstance(frame, DataFrame):
                self.acknowledge_received_data(frame.flow_controlled_length, frame.stream_id)
            events = [StreamFault(frame.stream_id)]
        self.heads += isinstance(frame, HeadersFrame)
        if self.encoder.header_table_size > _HEADER_TABLE:
            self.encoder.header_table_size = _HEADER_TABLE
        return [event for event in events if not self._windows_moved(event)]

    def _of_one_stream(self, frame: Any, error: ProtocolError) -> bool:
        """A fault in what a stream says, after its frame was understood. What cannot be decoded leaves nothing to agree on."""
        if not isinstance(frame, HeadersFrame | DataFrame) or isinstance(error, DenialOfServiceError | TooManyStreamsError):
            return False
        stream = self.streams.get(frame.stream_id)
        if stream is None or stream.closed or type(error.__cause__) not in (type(None), ValueError):
            return False
        return type(error) is ProtocolError or type(error).__name__ == "InvalidBodyLengthError"

    def _count(self, frame: Any) -> None:
        """What a frame costs a client that only wants to keep us busy. Raises DenialOfServiceError."""
        if isinstance(frame, WindowUpdateFrame):
            self._updates_left -= 1
            idle = self._updates_left < 0
        elif isinstance(frame, DataFrame):
            idle = (not frame.data and "END_STREAM" not in frame.flags) or self._is_over(frame.stream_id)
        elif isinstance(frame, RstStreamFrame):
            idle = self._is_over(frame.stream_id)
        else:
            idle = not isinstance(frame, HeadersFrame)
        if idle:
            self._spend_idle()

    def _is_over(self, stream_id: int) -> bool:
        stream = self.streams.get(stream_id)
        return stream is None or stream.closed

    def _spend_idle(self) -> None:
        if not self._idle.spend():
            raise DenialOfServiceError("too many frames that ask for nothing")

    def _windows_moved(self, event: Event) -> bool:
        """Sends what the client has opened its windows for; True when that is all that the event meant."""
        if isinstance(event, WindowUpdated):
            stream_id = event.stream_id or 0
            waits = self._outgoing.get(stream_id)
            if waits is not None and self.open_for_us(stream_id):
                if 0 < self.local_flow_control_window(stream_id) < min(SMALL_GRANT, waits.size):
                    self._spend_idle()
                self._pump(stream_id)
            elif stream_id == 0:
                self._pump_all()
            return True
        if isinstance(event, RemoteSettingsChanged) and SettingCodes.INITIAL_WINDOW_SIZE in event.changed_settings:
            self._pump_all()
        return False

    def _pump_all(self) -> None:
        """A frame for each in turn, so that none has all of the connection's window."""
        moved = True
        while moved:
            moved = False
            for stream_id in list(self._outgoing):
                moved = self._pump_one(stream_id) or moved

    def _pump(self, stream_id: int) -> None:
        while self._pump_one(stream_id):
            pass

    def _pump_one(self, stream_id: int) -> bool:
        """Sends one frame of what waits; False when nothing does, or no window is open."""
        waits = self._outgoing.get(stream_id)
        if waits is None:
            return False
        if not self.open_for_us(stream_id):
            self._forget(stream_id)
            return False
        if waits.pieces:
            room = min(self.local_flow_control_window(stream_id), self.max_outbound_frame_size, _FRAME)
            if room <= 0:
                return False
            piece = waits.pieces[0]
            if len(piece) > room:
                waits.pieces[0] = piece[room:]
                piece = piece[:room]
            else:
                waits.pieces.popleft()
            waits.size -= len(piece)
            self.waiting_in_all -= len(piece)
            self._updates_left = min(self._updates_left + UPDATES_PER_FRAME, MOST_IDLE_FRAMES)
            self.send_data(stream_id, piece)
            return True
        if waits.ended:
            del self._outgoing[stream_id]
            if waits.trailers:
                self.send_headers(stream_id, waits.trailers, end_stream=True)
            else:
                self.end_stream(stream_id)
        return False

    def _forget(self, stream_id: int) -> None:
        waits = self._outgoing.pop(stream_id, None)
        if waits is not None:
            self.waiting_in_all -= waits.size


def turned_away() -> bytes:
    """What a client gets whom we have no room for: nothing of it was taken, and it may ask elsewhere."""
    frames = ClientFrames(lambda: 0.0)
    frames.begin()
    frames.close_connection(ErrorCodes.NO_ERROR, last_stream_id=0)
    return frames.data_to_send()
