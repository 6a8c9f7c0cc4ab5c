"""Tokens: found, learnt from pairs, put into copies; lanes follow the credentials that an answer issues."""

from __future__ import annotations

import json
import time

from shadow.bridge import Bridge
from shadow.lane_keys import LaneKeys
from shadow.token_map import TokenMap
from shadow.tokens import answer_tokens
from traffic.message import Exchange, Headers, Request, Response, Side

JSON: Headers = ((b"content-type", b"application/json"),)


def learnt(primary: Response, candidate: Response) -> Bridge:
    bridge = Bridge()
    bridge.learn(Side.PRIMARY, answer_tokens(primary, primary.body), candidate, candidate.body)
    return bridge


def pair(name: str = "token") -> Bridge:
    return learnt(
        Response(200, JSON, json.dumps({"user": {name: "primary-token"}}).encode()),
        Response(200, JSON, json.dumps({"user": {name: "candidate-token"}}).encode()),
    )


def test_authorization_is_rewritten_both_ways() -> None:
    bridge = pair()
    request = Request("GET", b"/", ((b"Authorization", b"Token primary-token"),))
    there = bridge.rewrite(request, Side.CANDIDATE)
    assert there.headers == ((b"Authorization", b"Token candidate-token"),)
    assert bridge.rewrite(there, Side.PRIMARY).headers == request.headers


def test_paired_set_cookies_rewrite_the_cookie_and_leave_others() -> None:
    bridge = learnt(
        Response(200, ((b"Set-Cookie", b"sessionid=primary-s; Path=/; HttpOnly"),)),
        Response(200, ((b"set-cookie", b"sessionid=candidate-s; Path=/"),)),
    )
    request = Request("GET", b"/", ((b"Cookie", b"theme=dark; sessionid=primary-s"),))
    assert bridge.rewrite(request, Side.CANDIDATE).headers == ((b"Cookie", b"theme=dark; sessionid=candidate-s"),)


def test_csrf_header_and_form_field_from_an_html_page_are_rewritten() -> None:
    html: Headers = ((b"content-type", b"text/html"),)
    page = b'<form><input type="hidden" name="csrfmiddlewaretoken" value="%s"></form>'
    bridge = learnt(Response(200, html, page % b"primary-csrf"), Response(200, html, page % b"candidate-csrf"))
    form: Headers = ((b"content-type", b"application/x-www-form-urlencoded"), (b"X-CSRFToken", b"primary-csrf"))
    copy = bridge.rewrite(Request("POST", b"/", form, b"a=1&csrfmiddlewaretoken=primary-csrf"), Side.CANDIDATE)
    assert copy.body == b"a=1&csrfmiddlewaretoken=candidate-csrf"
    assert copy.headers[1] == (b"X-CSRFToken", b"candidate-csrf")


def test_json_body_is_rewritten_in_place_only() -> None:
    bridge = pair("refresh")
    body = b'{ "refresh":"primary-token" ,  "note": "not primary-token" }'
    copy = bridge.rewrite(Request("POST", b"/", JSON, body), Side.CANDIDATE)
    assert copy.body == b'{ "refresh":"candidate-token" ,  "note": "not primary-token" }'


def test_older_tokens_stay_valid() -> None:
    bridge = Bridge()
    for number in range(3):
        bridge.tokens.learn({"$.token": f"primary-{number}"}, {"$.token": "candidate"})
    for number in range(3):
        assert bridge.tokens.translate(f"primary-{number}", Side.CANDIDATE) == "candidate"


def test_tokens_in_lists_are_not_learnt() -> None:
    bodies = [json.dumps({"all": [{"token": f"{side}-token"}]}).encode() for side in Side]
    bridge = learnt(Response(200, JSON, bodies[0]), Response(200, JSON, bodies[1]))
    assert len(bridge.tokens) == 0


def test_map_is_bounded() -> None:
    tokens = TokenMap(maximum=10)
    for number in range(100):
        tokens.learn({"t": f"p{number}"}, {"t": f"c{number}"})
    assert len(tokens) == 10


def test_learnt_token_cannot_smuggle_a_header() -> None:
    bridge = learnt(
        Response(200, JSON, b'{"token": "primary-token"}'), Response(200, JSON, json.dumps({"token": "x\r\nEvil: 1"}).encode())
    )
    request = Request("GET", b"/", ((b"Authorization", b"Bearer primary-token"),))
    assert bridge.rewrite(request, Side.CANDIDATE) == request


def exchange(client: str, headers: Headers = ()) -> Exchange:
    return Exchange("b", 1, "GET /", client, Side.PRIMARY, 0.0, 1.0, Request("GET", b"/", headers), Response(200))


def test_follower_of_a_login_is_in_the_lane_of_the_login() -> None:
    keys = LaneKeys()
    body = b'{"token": "secret-token"}'
    issued = answer_tokens(Response(200, JSON, body), body)
    login = keys.lane(exchange("a-address"), issued)
    follower = keys.lane(exchange("u-other", ((b"authorization", b"Token secret-token"),)), {})
    stranger = keys.lane(exchange("u-third", ((b"authorization", b"Token else-token"),)), {})
    assert login == follower == "a-address"
    assert stranger != login


def test_session_cookie_of_a_login_binds_too_but_a_preference_does_not() -> None:
    keys = LaneKeys()
    live = Response(200, ((b"set-cookie", b"sessionid=s-123456; Path=/"), (b"set-cookie", b"theme=darkdark")))
    lane = keys.lane(exchange("a-address"), answer_tokens(live, None))
    assert keys.lane(exchange("x", ((b"cookie", b"sessionid=s-123456"),)), {}) == lane
    assert keys.lane(exchange("y", ((b"cookie", b"theme=darkdark"),)), {}) == "y"


def test_lane_key_holds_no_credential() -> None:
    assert "secret" not in LaneKeys().lane(exchange("x", ((b"authorization", b"Token secret-token"),)), {})


def test_long_cookie_without_a_value_is_no_work() -> None:
    """A pattern that backtracks took seconds for what takes microseconds."""
    bridge = Bridge()
    bridge.tokens.learn({"cookie:sessionid": "aaaaaaaa"}, {"cookie:sessionid": "bbbbbbbb"})
    request = Request("GET", b"/", ((b"cookie", b"a" * 500_000 + b"; sessionid=aaaaaaaa;=x; y"),))
    begun = time.process_time()
    rewritten = bridge.rewrite(request, Side.CANDIDATE)
    assert time.process_time() - begun < 1.0
    assert rewritten.headers == ((b"cookie", b"a" * 500_000 + b"; sessionid=bbbbbbbb;=x; y"),)
