"""What we rely on inside mitmproxy. When one of these fails, mitmproxy has changed: read proxy/internals.py against its source.
What HTTP/2 relies on is pinned in test_http2_internals."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import mitmproxy.proxy
import pytest
from h11._receivebuffer import ReceiveBuffer
from mitmproxy import http, version
from mitmproxy.net.http import http1
from mitmproxy.net.http.http1 import read
from mitmproxy.proxy import layer, server
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers.http import _http1

from proxy import connections, internals

SOURCES = Path(mitmproxy.proxy.__file__).parent


def test_the_version_is_one_this_was_read_against() -> None:
    assert version.VERSION.startswith(("11.0.", "12.2.")), (
        "read proxy/internals.py against this version's source, then add it here"
    )


HttpStream: Any = next(c for c in internals.LiveStream.__mro__ if c.__module__ == "mitmproxy.proxy.layers.http")

OVERRIDDEN: list[tuple[Any, str, str]] = [
    (_http1.Http1Server, "read_headers", "(self, event: 'events.ConnectionEvent')"),
    (_http1.Http1Server, "send", "(self, event: 'HttpEvent')"),
    (_http1.Http1Client, "read_headers", "(self, event: 'events.ConnectionEvent')"),
    (_http1.Http1Connection, "read_body", "(self, event: 'events.Event')"),
    (_http1.Http1Connection, "wait", "(self, event: 'events.Event')"),
    (_http1.Http1Connection, "make_pipe", "(self)"),
    (_http1.Http1Client, "send", "(self, event: 'HttpEvent')"),
    (HttpStream, "passthrough", "(self, event: 'events.Event')"),
    (HttpStream, "state_wait_for_request_headers", "(self, event: 'RequestHeaders')"),
    (server.ConnectionHandler, "drain_writers", "(self)"),
    (server.ConnectionHandler, "close_connection", "(self, connection: 'Connection', half_close: 'bool' = False)"),
    (read, "read_response_head", "(lines: 'list[bytes]')"),
    (read, "connection_close", "(http_version, headers)"),
    (read, "expected_http_body_size", "(request: 'Request', response: 'Response | None' = None)"),
    (_http1.Http1Connection, "mark_done", "(self, *, request: 'bool' = False, response: 'bool' = False)"),
    (HttpStream, "check_invalid", "(self, request: 'bool')"),
    (HttpStream, "check_killed", "(self, emit_error_hook: 'bool')"),
    (HttpStream, "make_server_connection", "(self)"),
    (http_layers.HttpLayer, "get_connection", "(self, event: 'GetHttpConnection', *, reuse: 'bool' = True)"),
    (server.ConnectionHandler, "handle_hook", "(self, hook: 'commands.StartHook')"),
]


@pytest.mark.parametrize(("owner", "name", "signature"), OVERRIDDEN)
def test_an_overridden_method_still_takes_what_it_took(owner: type, name: str, signature: str) -> None:
    found = list(inspect.signature(getattr(owner, name)).parameters)
    expected = [part.split(":")[0].split("=")[0].strip() for part in signature.strip("()").split(",") if part.strip() != "*"]
    assert found == expected


def test_the_states_and_fields_we_look_at_exist() -> None:
    stream = inspect.getsource(HttpStream)
    for name in ("state_wait_for_response_headers", "state_consume_request_body", "state_done", "client_state", "server_state"):
        assert name in stream
    assert "self._data = bytearray()" in inspect.getsource(ReceiveBuffer)
    assert "_paused_event_queue" in inspect.getsource(layer.Layer)
    assert 'headers.get("expect", "").lower() == "100-continue"' in stream  # what hold_expectation keeps from it
    for name in ("stream_id", "request", "response", "buf", "body_reader", "state"):
        assert name in _http1.Http1Connection.__annotations__, name
    assert 'b"0\\r\\n\\r\\n"' in inspect.getsource(_http1.Http1Server.send)
    assert 'b"0\\r\\n\\r\\n"' in inspect.getsource(_http1.Http1Client.send)
    assert '"server closed connection"' in inspect.getsource(_http1.Http1Client.read_headers)


def test_mitmproxy_calls_what_we_put_in_place_of_its_own() -> None:
    """The readings of answers that stand for mitmproxy's are looked up where `install` puts them."""
    source = inspect.getsource(_http1)
    for name in ("read_response_head", "connection_close", "expected_http_body_size"):
        assert f"http1.{name}(" in source
    assert _http1.http1 is http1
    assert "self.state = self.passthrough" in inspect.getsource(_http1.Http1Connection.make_pipe)
    assert "self._handle_event = self.passthrough" in inspect.getsource(HttpStream.flow_done)


def test_a_paused_stream_queues_what_comes() -> None:
    """`has_no_room` counts these."""
    assert "self._paused_event_queue.append(event)" in inspect.getsource(layer.Layer.handle_event)


def test_the_originals_are_found_by_the_names_we_replace() -> None:
    source = inspect.getsource(http_layers)
    for name in ("Http1Server(", "Http1Client(", "HttpStream("):
        assert name in source
    assert "make_error_response(" in inspect.getsource(_http1.Http1Server.read_headers)
    internals.install()
    assert (http_layers.Http1Server, http_layers.Http1Client) == (internals.LiveServer, internals.LiveClient)
    assert http_layers.HttpStream is internals.LiveStream
    internals.install()


def test_every_option_that_the_layers_read_is_there() -> None:
    options = connections.live_options()
    read = set()
    for path in SOURCES.rglob("*.py"):
        read |= set(re.findall(r"context\.options\.(\w+)", path.read_text()))
    read -= {"proxyauth"}  # read in SOCKS mode only
    assert read
    assert {name for name in read if not hasattr(options, name)} == set()


def test_setting_the_upstream_beneath_the_setters_leaves_host_alone() -> None:
    request = http.Request.make("GET", "http://a.test/x")
    request.headers["Host"] = "shop.test"
    request.data.host, request.data.port = "10.0.0.1", 8002
    assert request.headers["Host"] == "shop.test"
    assert (request.host, request.port) == ("10.0.0.1", 8002)


def test_the_name_of_the_software_is_in_no_error_answer() -> None:
    internals.install()
    made: Any = _http1.make_error_response
    for status in (400, 413, 502):
        assert b"mitm" not in made(status, "secret").lower()
        assert b"secret" not in made(status, "secret")


def test_a_stream_gets_the_context_that_fork_would_have_made() -> None:
    assert list(inspect.signature(Context.__init__).parameters) == ["self", "client", "options"]
    made = set(re.findall(r"self\.(\w+) = ", inspect.getsource(Context.__init__)))
    assert made == {"client", "options", "server", "layers"}
    assert set(re.findall(r"ret\.(\w+) = ", inspect.getsource(Context.fork))) == {"server", "layers"}
