"""Exported tests, run for real: they fail on the candidate that mismatched and pass once it is fixed."""

from __future__ import annotations

import ast
import re
from datetime import date
from typing import Any

import pytest

from export.pytest_files import export_pytest
from rules.load import EMPTY, rules_from_case
from traffic.message import Failure

TODAY = date(2026, 11, 21)
APP = """
from contextlib import asynccontextmanager
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, HTMLResponse, RedirectResponse

FIXED = {fixed}

@asynccontextmanager
async def lifespan(app):
    yield {{"ready": True}}

app = FastAPI(lifespan=lifespan)

@app.get("/items/")
async def items(request: Request):
    assert request.state.ready
    price = "12.50" if FIXED else 12.5
    url = "http://" + request.headers["host"] + "/items/7/"
    return {{"id": 7, "at": "2026-01-01T00:00:00+00:00", "price": price, "url": url, "changed": "now"}}

@app.get("/list/")
async def listed():
    return [{{"id": 1}}, {{"id": 2}}] if FIXED else [{{"id": 2}}, {{"id": 1}}]

@app.get("/status/")
async def status():
    return JSONResponse({{"detail": "gone"}}, 404 if FIXED else 500)

@app.get("/text/")
async def text():
    return PlainTextResponse("a line\\n" if FIXED else "another line\\n", headers={{"content-type": "text/plain"}})

@app.get("/bytes/")
async def some_bytes():
    return Response(b"\\x00\\xff\\x01" if FIXED else b"\\x00\\xff", media_type="application/octet-stream")

@app.get("/page/")
async def page():
    return HTMLResponse("<p class='x' id=a>Hello &amp; welcome</p>" if FIXED else "<p>Hello</p>")

@app.get("/old/")
async def old():
    return RedirectResponse("http://testserver/new/" if FIXED else "/elsewhere/", 302)

@app.head("/head/")
async def head():
    return Response(status_code=200, headers={{"x-total": "3" if FIXED else "4"}})

@app.post("/orders/")
async def orders(request: Request):
    body = await request.json()
    return JSONResponse({{"sum": sum(body["n"]) if FIXED else 0}}, 201)

@app.get("/cookie/")
async def cookie():
    response = JSONResponse({{}})
    response.set_cookie("theme", "dark", httponly=FIXED)
    return response

@app.get("/private/")
async def private(request: Request):
    if request.headers.get("authorization") != "Bearer letmein":
        return JSONResponse({{}}, 401)
    return {{"token": "real-secret", "n": 1 if FIXED else 2}}
"""
BROKEN, FIXED = APP.format(fixed=False), APP.format(fixed=True)


def of_every_kind(make: Any) -> list[Any]:
    e, a = make.example, make.answer
    text = ((b"content-type", b"text/plain"),)
    return [
        e(
            a(
                b'{"price": "12.50", "id": 7.0, "at": "2026-01-01T00:00:00Z",'
                b' "url": "http://django:8000/items/7/", "changed": "then"}'
            ),
            a(b'{"price":12.5,"id":7,"at":"2026-01-01T00:00:00+00:00","url":"http://shop.example/items/7/","changed":"now"}'),
            "$.price",
        ),
        e(a(b'[{"id":1},{"id":2}]'), a(b'[{"id":2},{"id":1}]'), "$", route="GET /list/", target=b"/list/"),
        e(a(b'{"detail":"gone"}', 404), a(b"Oops", 500), ("status", "status"), route="GET /status/", target=b"/status/"),
        e(a(b"a line\n", headers=text), a(b"another line\n", headers=text), "$", route="GET /text/", target=b"/text/"),
        e(
            a(b"\0\xff\1", headers=((b"content-type", b"application/octet-stream"),)),
            a(b"\0\xff", headers=((b"content-type", b"application/octet-stream"),)),
            "$",
            route="GET /bytes/",
            target=b"/bytes/",
        ),
        e(
            a(b'<p id="a" class="x">Hello &#38; welcome</p>\n', headers=((b"content-type", b"text/html; charset=utf-8"),)),
            a(b"<p>Hello</p>", headers=((b"content-type", b"text/html; charset=utf-8"),)),
            "html:p",
            route="GET /page/",
            target=b"/page/",
        ),
        e(
            a(b"", 302, ((b"Location", b"/new/"),)),
            a(b"", 302, ((b"Location", b"/elsewhere/"),)),
            ("header", "location"),
            route="GET /old/",
            target=b"/old/",
        ),
        e(
            a(b"", 200, ((b"X-Total", b"3"),)),
            a(b"", 200, ((b"x-total", b"4"),)),
            ("header", "x-total"),
            route="HEAD /head/",
            target=b"/head/",
        ),
        e(
            a(b'{"sum": 6}', 201),
            a(b'{"sum": 0}', 201),
            "$.sum",
            route="POST /orders/",
            target=b"/orders/",
            body=b'{"n": [1, 2, 3]}',
        ),
        e(
            a(b"{}", headers=((b"set-cookie", b"theme=redacted-0123456789ab; HttpOnly; Path=/; SameSite=lax"),)),
            a(b"{}", headers=((b"set-cookie", b"theme=redacted-0123456789ab; Path=/; SameSite=lax"),)),
            ("cookie", "theme"),
            route="GET /cookie/",
            target=b"/cookie/",
        ),
    ]


def test_they_fail_on_the_broken_candidate_and_pass_on_the_fixed_one(make: Any, exported: Any) -> None:
    examples = of_every_kind(make)
    rules = rules_from_case(
        {
            "settings": {"bases": {"primary": ["http://django:8000"], "candidate": ["http://fastapi"]}},
            "rules": [{"path": "$.changed", "action": "ignore"}],
        }
    )
    tests = exported(export_pytest(examples, rules, TODAY))

    broken, fixed = tests.run(BROKEN), tests.run(FIXED)

    assert (broken.passed, broken.failed) == (0, len(examples)), broken.text
    assert (fixed.passed, fixed.failed) == (len(examples), 0), fixed.text


def test_they_run_against_a_server_on_this_machine_only(make: Any, exported: Any) -> None:
    tests = exported(export_pytest([of_every_kind(make)[1]], EMPTY, TODAY))

    refused = tests.run(PARITYGATE_BASE_URL="http://production.example")

    assert refused.failed == 1
    assert "PARITYGATE_ALLOW_HOST" in refused.text


def test_a_credential_comes_from_the_environment_and_its_absence_is_named(make: Any, exported: Any) -> None:
    token = b"redacted-0123456789ab"
    private = make.example(
        make.answer(b'{"token": "redacted-ffffffffffff", "n": 1}'),
        make.answer(b'{"token": "redacted-eeeeeeeeeeee", "n": 2}'),
        "$.n",
        route="GET /private/",
        target=b"/private/",
        headers=((b"Authorization", b"Bearer " + token),),
    )
    files = export_pytest([private], EMPTY, TODAY)
    tests = exported(files)

    without, given = tests.run(FIXED), tests.run(FIXED, PARITYGATE_AUTH_1="letmein")

    assert "PARITYGATE_AUTH_1" in files["README.md"].decode()
    # Refused for want of a credential says nothing about the defect: neither a pass nor a failure.
    assert (without.failed, without.passed, without.skipped) == (0, 0, 1), without.text
    assert "set PARITYGATE_AUTH_1" in without.text
    assert given.passed == 1, given.text


def test_a_status_that_a_preset_maps_is_accepted(make: Any, exported: Any) -> None:
    refused = make.example(
        make.answer(b'{"name": ["required"], "sku": ["required"]}', 400),
        make.answer(b'{"detail": [{"type": "missing", "loc": ["body", "sku"], "msg": "m", "input": {}}]}', 422),
        "$.name",
        route="GET /v/",
        target=b"/v/",
    )
    rules = rules_from_case({"presets": [{"name": "drf-fastapi-errors"}]})
    tests = exported(export_pytest([refused], rules, TODAY))
    app = """
from fastapi import FastAPI
from fastapi.responses import JSONResponse
app = FastAPI()
@app.get("/v/")
async def v():
    return JSONResponse({{"detail": [{{"type": "missing", "loc": ["body", name]}} for name in {names}]}}, 422)
"""

    assert tests.run(app.format(names=["sku"])).failed == 1
    fixed = tests.run(app.format(names=["sku", "name"]))
    assert fixed.passed == 1, fixed.text


def test_a_tolerance_rule_accepts_at_a_place_that_mismatched(make: Any, exported: Any) -> None:
    scored = make.example(make.answer(b'{"score": 4}'), make.answer(b'{"score": 5}'), "$.score", route="GET /s/", target=b"/s/")
    rules = rules_from_case({"rules": [{"path": "$.score", "action": "tolerance", "abs": 0.01}]})
    tests = exported(export_pytest([scored], rules, TODAY))
    app = 'from fastapi import FastAPI\napp = FastAPI()\n@app.get("/s/")\nasync def s():\n    return {{"score": {}}}\n'

    assert tests.run(app.format(5)).failed == 1
    assert tests.run(app.format(4.001)).passed == 1


def test_a_difference_inside_a_redacted_value_is_skipped_and_says_why(make: Any) -> None:
    hidden = make.example(
        make.answer(b'{"token": "redacted-ffffffffffff"}'), make.answer(b'{"token": "redacted-eeeeeeeeeeee"}'), "$.token"
    )

    files = export_pytest([hidden], EMPTY, TODAY)

    source = next(content for name, content in files.items() if name.startswith("test_")).decode()
    assert "@pytest.mark.skip" in source
    assert "redacted" in source


def test_without_a_complete_candidate_answer_the_primary_is_expected(make: Any, exported: Any) -> None:
    dead = make.example(
        make.answer(b'{"detail": "gone"}', 404),
        Failure("timeout"),
        ("transport", "$"),
        route="GET /status/",
        target=b"/status/",
    )
    tests = exported(export_pytest([dead], EMPTY, TODAY))

    assert tests.run(BROKEN).failed == 1
    assert tests.run(FIXED).passed == 1


def test_exporting_again_gives_the_same_bytes_in_any_order(make: Any) -> None:
    examples = of_every_kind(make)

    assert export_pytest(examples, EMPTY, TODAY) == export_pytest(examples[::-1], EMPTY, TODAY)


def test_nothing_of_paritygate_is_imported_and_sources_hold_constants_only(make: Any) -> None:
    files = export_pytest(of_every_kind(make), EMPTY, TODAY)

    for name, content in files.items():
        if name.endswith(".py"):
            modules = re.findall(r"^(?:from|import) ([\w.]+)", content.decode(), re.MULTILINE)
            ours = {
                "traffic",
                "rules",
                "differ",
                "gate",
                "settings",
                "store",
                "proxy",
                "shadow",
                "export",
                "dashboard",
                "cli",
                "demo",
            }
            assert not ours & {module.partition(".")[0] for module in modules}
            ast.parse(content)


def test_the_candidates_own_path_is_asked_where_the_route_has_one(make: Any) -> None:
    moved = make.example(
        make.answer(b'{"a":1}'), make.answer(b'{"a":2}'), "$.a", route="GET /api/items/{id}/", target=b"/api/items/7/?x=1"
    )

    files = export_pytest([moved], EMPTY, TODAY, {"GET /api/items/{id}/": "/items/{id}"})

    case = next(content for name, content in files.items() if name.endswith(".case.json"))
    assert b'"target": "/items/7?x=1"' in case


@pytest.mark.parametrize("aspect", ["latency", "relation"])
def test_what_no_single_request_can_show_is_left_out(make: Any, aspect: str) -> None:
    files = export_pytest([make.example(make.answer(), make.answer(), (aspect, "p95"))], EMPTY, TODAY)

    assert not [name for name in files if name.startswith("test_")]
