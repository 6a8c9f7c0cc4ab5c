"""Route templates: matching, identity, imports and hostile paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.route import Route, RouteError, RouteTable, parse_match, routes_from_openapi, routes_from_urlconf

TABLE = RouteTable(
    [
        Route("GET", "/items/"),
        Route("GET", "/items/{id}/"),
        Route("GET", "/items/new/"),
        Route("POST", "/items/{id}/", candidate_template="/v2/items/{id}"),
        Route("GET", "/files/{name:path}"),
        Route("GET", "/a/{x}/c"),
        Route("GET", "/a/b/{y}"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "label"),
    [
        ("GET", b"/items/", "GET /items/"),
        ("GET", b"/items/7/", "GET /items/{id}/"),
        ("GET", b"/items/new/", "GET /items/new/"),
        ("GET", b"/items", "GET __unrouted__"),
        ("GET", b"/items//", "GET __unrouted__"),
        ("HEAD", b"/items/7/", "HEAD /items/{id}/"),
        ("BREW", b"/items/7/", "OTHER /items/{id}/"),
        ("BREW", b"/pot", "OTHER __unrouted__"),
        ("GET", b"/files/a/b.txt", "GET /files/{name:path}"),
        ("GET", b"/a/b/c", "GET /a/b/{y}"),
        ("GET", b"/a/q/c", "GET /a/{x}/c"),
    ],
)
def test_path_gets_the_label_of_the_most_literal_template(method: str, path: bytes, label: str) -> None:
    assert TABLE.match(method, path).label == label


@pytest.mark.parametrize(
    "path", [b"/items/../items/", b"/items/./", b"//items/", b"/items/%2f/", b"/items/7;x/", b"/items/7#/", b"*"]
)
def test_path_that_servers_read_differently_is_never_routed(path: bytes) -> None:
    match = TABLE.match("GET", path)
    assert match.label == "GET __unrouted__"
    assert match.route is None


@given(st.text(max_size=6), st.binary(max_size=30))
def test_labels_come_from_a_bounded_set_whatever_a_client_sends(method: str, path: bytes) -> None:
    label = TABLE.match(method, path).label
    templates = {route.template for route in TABLE.routes.values()} | {"__unrouted__"}
    assert label.partition(" ")[2] in templates


def test_candidate_path_keeps_the_raw_segment() -> None:
    assert TABLE.match("POST", b"/items/%41%20b/").candidate_path() == b"/v2/items/%41%20b"


def test_parameter_names_are_no_part_of_the_identity_and_the_first_name_stays() -> None:
    table = RouteTable(
        [Route("GET", "/o/{pk}/", source="urlconf"), Route("GET", "/o/{order_id}/", mirror="off", source="openapi")]
    )

    assert len(table.routes) == 1
    match = table.match("GET", b"/o/1/")
    assert match.label == "GET /o/{pk}/"
    assert match.route is not None
    assert match.route.mirror == "off"


def test_candidate_template_with_a_foreign_parameter_is_refused() -> None:
    with pytest.raises(RouteError, match="candidate_path uses \\['slug'\\]"):
        RouteTable([Route("GET", "/a/{id}", candidate_template="/b/{slug}")])


def test_more_routes_than_the_maximum_are_refused() -> None:
    with pytest.raises(RouteError, match=r"3 routes, but routes\.max is 2"):
        RouteTable([Route("GET", f"/{n}") for n in range(3)], maximum=2)


def test_openapi_operations_become_routes() -> None:
    document = {"paths": {"/x/{id}": {"get": {}, "post": {}, "parameters": []}}}
    assert {route.label for route in routes_from_openapi(document)} == {"GET /x/{id}", "POST /x/{id}"}


def test_urlconf_converters_become_parameters() -> None:
    routes = routes_from_urlconf(
        [{"route": "api/items/<int:pk>/", "methods": ["GET"]}, {"route": "f/<path:p>", "methods": ["GET"]}]
    )
    assert [route.label for route in routes] == ["GET /api/items/{pk}/", "GET /f/{p:path}"]


@pytest.mark.parametrize("text", ["/orders", "get /orders", "GET orders", ""])
def test_match_text_that_is_no_route_is_refused(text: str) -> None:
    with pytest.raises(RouteError, match="must"):
        parse_match(text)


def test_undeclared_method_keeps_the_settings_of_its_sibling() -> None:
    table = RouteTable(
        [
            Route("POST", "/o/{id}", mirror="writes"),
            Route("GET", "/o/{id}", candidate_template="/v2/o/{id}", mirror="reads"),
            Route("GET", "/off", mirror="off"),
            Route("POST", "/w", candidate_template="/v2/w", mirror="writes"),
        ]
    )

    head = table.match("HEAD", b"/o/7")
    assert (head.label, head.candidate_path()) == ("HEAD /o/{id}", b"/v2/o/7")
    assert [table.match(m, p).route.mirror for m, p in (("HEAD", b"/o/7"), ("OPTIONS", b"/off"), ("DELETE", b"/w"))] == [  # type: ignore[union-attr]
        "reads",
        "off",
        None,
    ]
    assert table.match("DELETE", b"/w").candidate_path() == b"/v2/w"


def test_sibling_that_writes_never_lets_another_method_be_mirrored() -> None:
    table = RouteTable([Route("POST", "/w", mirror="writes"), Route("GET", "/w", mirror="writes")])
    match = table.match("DELETE", b"/w")
    assert match.route is not None
    assert match.route.mirror is None


def test_a_candidate_path_may_use_its_own_names_for_the_parameters_of_an_imported_route() -> None:
    """The URLconf says `pk`, the file `id`: they are one route, and both know where it leads."""
    table = RouteTable([Route("GET", "/items/{pk}/{n}"), Route("GET", "/items/{id}/{pk}", "/things/{pk}/of/{id}")])
    match = table.match("GET", b"/items/3/4")
    assert (match.label, match.candidate_path()) == ("GET /items/{pk}/{n}", b"/things/4/of/3")
