"""What HTTP/2 relies on inside mitmproxy and h2. When one of these fails, they have changed: read proxy/http2*.py against them."""

from __future__ import annotations

import inspect

import h2.connection
import h2.frame_buffer
import h2.stream
import pytest
from h2.settings import SettingCodes, Settings
from http2_client import NEEDS_H2
from mitmproxy.proxy import layer, server
from mitmproxy.proxy.layers import http as http_layers

from proxy.http2_connections import Http2Handler, Http2Layer, Http2Stream
from proxy.http2_frames import MOST_STREAMS, STREAM_WINDOW, ClientFrames

pytestmark = NEEDS_H2

OVERRIDDEN: list[tuple[type, type, str, list[str]]] = [
    (Http2Stream, http_layers.HttpStream, "make_server_connection", ["self"]),
    (Http2Stream, http_layers.HttpStream, "state_wait_for_response_headers", ["self", "event"]),
    (Http2Layer, http_layers.HttpLayer, "get_connection", ["self", "event", "reuse"]),
    (Http2Handler, server.ConnectionHandler, "handle_client", ["self"]),
    (Http2Handler, server.ConnectionHandler, "open_connection", ["self", "command"]),
    (Http2Handler, server.ConnectionHandler, "server_event", ["self", "event"]),
    (Http2Handler, server.ConnectionHandler, "drain_writers", ["self"]),
    (Http2Handler, server.ConnectionHandler, "close_connection", ["self", "connection", "half_close"]),
    (ClientFrames, h2.connection.H2Connection, "_receive_frame", ["self", "frame"]),
]


@pytest.mark.parametrize(("ours", "theirs", "name", "parameters"), OVERRIDDEN)
def test_an_overridden_method_still_takes_what_it_took(ours: type, theirs: type, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(theirs, name)).parameters) == parameters
    assert list(inspect.signature(getattr(ours, name)).parameters) == parameters


def test_a_layer_that_was_made_before_the_start_is_left_in_its_place() -> None:
    assert "self.connections.setdefault(self.context.client, http_conn)" in inspect.getsource(
        http_layers.HttpLayer._handle_event
    )


def test_the_states_and_fields_we_look_at_exist() -> None:
    assert "_paused = None" in inspect.getsource(layer.Layer.__init__)
    assert "asyncio.Semaphore(5)" in inspect.getsource(server.ConnectionHandler.__init__)
    source = inspect.getsource(http_layers.HttpLayer.get_connection)
    for name in (
        "waiting_for_establishment",
        "command_sources.pop(event)",
        "GetHttpConnectionCompleted(event, (connection, None))",
    ):
        assert name in source
    for name in ("_data", "_headers_buffer", "_preamble_len", "max_frame_size"):
        assert hasattr(h2.frame_buffer.FrameBuffer(server=True), name), name
    assert h2.frame_buffer.CONTINUATION_BACKLOG == 64
    assert "content_length" in inspect.getsource(h2.stream.H2Stream.receive_data)


def test_h2_takes_frames_one_by_one_as_its_own_reading_does() -> None:
    """`ClientFrames.receive` does what H2Connection.receive_data does, but keeps what came before a fault."""
    source = inspect.getsource(h2.connection.H2Connection.receive_data)
    for part in ("self.incoming_buffer.add_data(data)", "for frame in self.incoming_buffer:", "self._receive_frame(frame)"):
        assert part in source


def test_the_client_is_told_our_bounds_and_more_is_tolerated_than_told() -> None:
    frames = ClientFrames(lambda: 0.0)
    frames.begin()
    told = h2.connection.H2Connection()
    told.initiate_connection()
    told.data_to_send()
    told.receive_data(frames.data_to_send())
    assert told.remote_settings.max_concurrent_streams == MOST_STREAMS
    assert told.remote_settings.initial_window_size == STREAM_WINDOW
    assert told.remote_settings[SettingCodes.MAX_HEADER_LIST_SIZE] == 65_536
    assert told.remote_settings.enable_connect_protocol == 0
    assert frames.local_settings.max_concurrent_streams == 2 * MOST_STREAMS
    assert isinstance(frames.local_settings, Settings)
    assert frames.decoder.max_header_list_size == 4 * 65_536
