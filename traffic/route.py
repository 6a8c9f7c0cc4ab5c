"""Routes: `METHOD /template` with `{name}` parameters, matched on raw, undecoded paths.

Parameter names are no part of a route's identity. A path that servers read in different ways (`//`, `/./`, `/../`, `;`, `#`,
`%2f`) is never matched: it is `METHOD __unrouted__`, mirrored but never promotable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

UNROUTED = "__unrouted__"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
OTHER_METHOD = "OTHER"
_PARAMETER = re.compile(r"\{([^{}]*)\}")
_AMBIGUOUS = re.compile(rb"//|/\.{1,2}(?:/|$)|;|#|\\|%2[fFeE]|%5[cC]|%00", re.ASCII)


class RouteError(ValueError):
    """A route that cannot be used: a bad template, or one that contradicts another."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `mirror` is `off`, `reads`, `writes` or None (the global setting decides)."""

    method: str
    template: str
    candidate_template: str | None = None
    mirror: str | None = None
    source: str = "config"

    @property
    def label(self) -> str:
        """What people read and what every table is keyed by."""
        return f"{self.method} {self.template}"

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for routes that differ in parameter names only."""
        return (self.method, _PARAMETER.sub("{}", self.template))


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """What a request was matched to. `route` is None for an unrouted path."""

    label: str
    route: Route | None = None
    params: tuple[bytes, ...] = ()

    def candidate_path(self) -> bytes | None:
        """The path to ask the candidate for where it differs from the primary's, else None."""
        if self.route is None or self.route.candidate_template is None:
            return None
        values = dict(zip(_names(self.route.template), self.params, strict=True))
        filled = _PARAMETER.sub(lambda m: values[_bare(m.group(1))].decode("latin-1"), self.route.candidate_template)
        return filled.encode("latin-1")


@dataclass
class _Node:
    literals: dict[bytes, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)
    catch_all: dict[str, Route] = field(default_factory=dict)


def parse_match(text: str) -> tuple[str, str]:
    """`"POST /api/orders/"` as its method and template. Raises RouteError."""
    method, _, template = text.strip().partition(" ")
    template = template.strip()
    if method not in METHODS:
        raise RouteError(f"{text!r}: the method must be one of {', '.join(sorted(METHODS))}, then a space and a template")
    if not template.startswith("/"):
        raise RouteError(f"{text!r}: the template must start with '/'")
    return method, template


class RouteTable:
    """All known routes of one configuration; matching is a walk over path segments, literal before parameter.

    Raises RouteError when there are more than `maximum` routes or a candidate template uses a parameter its route does not have.
    """

    def __init__(self, routes: Iterable[Route], maximum: int = 10_000) -> None:
        self._root = _Node()
        self.routes: dict[tuple[str, str], Route] = {}
        for route in routes:
            self._add(route)
        if len(self.routes) > maximum:
            raise RouteError(f"{len(self.routes)} routes, but routes.max is {maximum}: raise it or import fewer")

    def _add(self, route: Route) -> None:
        if not route.template.startswith("/"):
            raise RouteError(f"{route.label!r}: the template must start with '/'")
        if route.candidate_template is not None:
            missing = set(_names(route.candidate_template)) - set(_names(route.template))
            if missing:
                raise RouteError(f"{route.label!r}: candidate_path uses {sorted(missing)}, which the route does not have")
        known = self.routes.get(route.identity)
        if known is not None:  # an import aliases, it never renames: the first name stays, later facts fill its gaps
            route = replace(
                known,
                candidate_template=known.candidate_template or _renamed(route, known.template),
                mirror=known.mirror or route.mirror,
            )
        self.routes[route.identity] = route
        node = self._root
        for segment in route.template[1:].split("/"):
            parameter = _PARAMETER.fullmatch(segment)
            if parameter and parameter.group(1).endswith(":path"):
                node.catch_all[route.method] = route
                return
            if _PARAMETER.search(segment):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment.encode("utf-8"), _Node())
        node.routes[route.method] = route

    def match(self, method: str, path: bytes) -> RouteMatch:
        """The route of a request. Never raises; labels come from a bounded set whatever the client sends."""
        method = method if method in METHODS else OTHER_METHOD
        if path.startswith(b"/") and not _AMBIGUOUS.search(path):
            found = _walk(self._root, path[1:].split(b"/"), 0, ())
            if found is not None:
                routes, params = found
                route = routes.get(method)
                if route is not None:
                    return RouteMatch(route.label, route, params)
                # A method nobody declared on a known path (HEAD, OPTIONS, a 405) is a route of its own, never unnamed.
                implied = _implied(method, routes)
                return RouteMatch(implied.label, implied, params)
        return RouteMatch(f"{method} {UNROUTED}")


def _implied(method: str, routes: Mapping[str, Route]) -> Route:
    """The route of an undeclared method, with the settings of the path's GET route, or of its first: HEAD has to follow GET.

    `mirror = "writes"` is one method's alone: it never lets another unsafe method be mirrored.
    """
    sibling = routes.get("GET") or next(iter(routes.values()))
    mirror = None if sibling.mirror == "writes" else sibling.mirror
    return replace(sibling, method=method, mirror=mirror, source="implied")


def _walk(
    node: _Node, segments: list[bytes], at: int, params: tuple[bytes, ...]
) -> tuple[dict[str, Route], tuple[bytes, ...]] | None:
    if at == len(segments):
        return (node.routes, params) if node.routes else None
    literal = node.literals.get(segments[at])
    if literal is not None:
        found = _walk(literal, segments, at + 1, params)
        if found is not None:
            return found
    if node.parameter is not None and segments[at]:
        found = _walk(node.parameter, segments, at + 1, (*params, segments[at]))
        if found is not None:
            return found
    if node.catch_all:
        return node.catch_all, (*params, b"/".join(segments[at:]))
    return None


def _renamed(route: Route, template: str) -> str | None:
    """The candidate template of `route` with the parameter names of `template`, which is the same route by other names."""
    if route.candidate_template is None:
        return None
    names = dict(zip(_names(route.template), _names(template), strict=True))
    return _PARAMETER.sub(lambda found: "{" + names[_bare(found.group(1))] + "}", route.candidate_template)


def _bare(name: str) -> str:
    return name.partition(":")[0]


def _names(template: str) -> list[str]:
    return [_bare(name) for name in _PARAMETER.findall(template)]


def routes_from_openapi(document: Mapping[str, object]) -> list[Route]:
    """The routes an OpenAPI document declares. Raises RouteError when it is none."""
    paths = document.get("paths")
    if not isinstance(paths, Mapping):
        raise RouteError("not an OpenAPI document: it has no 'paths' object")
    return [
        Route(method.upper(), template, source="openapi")
        for template, operations in paths.items()
        if isinstance(template, str) and isinstance(operations, Mapping)
        for method in operations
        if isinstance(method, str) and method.upper() in METHODS
    ]


_DJANGO_CONVERTER = re.compile(r"<(?:(\w+):)?(\w+)>")


def routes_from_urlconf(entries: Iterable[Mapping[str, object]]) -> list[Route]:
    """The routes of an exported URLconf: entries `{"route": "api/items/<int:pk>/", "methods": ["GET"]}`. Raises RouteError."""
    routes: list[Route] = []
    for entry in entries:
        pattern, methods = entry.get("route"), entry.get("methods")
        if not isinstance(pattern, str) or not isinstance(methods, list):
            raise RouteError(f"not a URLconf entry: {entry!r}; it needs 'route' (text) and 'methods' (a list)")
        template = "/" + _DJANGO_CONVERTER.sub(_django_parameter, pattern.lstrip("/"))
        routes.extend(Route(m.upper(), template, source="urlconf") for m in methods if str(m).upper() in METHODS)
    return routes


def _django_parameter(found: re.Match[str]) -> str:
    converter, name = found.groups()
    return "{" + name + (":path" if converter == "path" else "") + "}"
