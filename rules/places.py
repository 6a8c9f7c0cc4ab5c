"""Kinds of values that say where a rule stands: target, path, route and media type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rules.jsonpath import MAX_PATH, Path, PathError, Wildcard, parse_path
from rules.model import template_of
from rules.nodes import shown
from rules.reading import Reader, nearest
from traffic.route import METHODS

_HEADER = r"[!#$%&'+.^_`|~0-9A-Za-z-]+"
_COOKIE = r"[^\x00-\x20\x7f;=*]+"
_TARGET = rf"(body|status|header: *{_HEADER} *|cookie: *{_COOKIE} *)"
_MEDIA = r"[a-z0-9][a-z0-9!#$&^_.+-]*/(\*|[a-z0-9][a-z0-9!#$&^_.+-]*)"
_METHOD_NAMES = "|".join(sorted(METHODS))
_SIGN = r"[^\s?#*^|\\]"
"""What a template may hold: `/Products({id})` and `/$metadata` are templates, `^/a.*$` is none."""
_ROUTE = rf"(({_METHOD_NAMES}) +)?(/({_SIGN}*[^\s?#*^|\\$])?|unrouted|__unrouted__)"
_TARGET_HELP = "allowed: body, header:<name>, cookie:<name>, status"


@dataclass(frozen=True, slots=True)
class Target:
    """`body`, `status`, `header:<name>` or `cookie:<name>`."""

    def read(self, reader: Reader, key: str) -> tuple[str, str]:
        """The kind of target and the name, that of a header in lower case; the body by default, no kind where it is wrong."""
        member = reader.take(key)
        if member is None:
            return "body", ""
        text = member.value if isinstance(member.value, str) else ""
        kind, _, name = text.partition(":")
        name = name.strip(" ")
        if not re.fullmatch(_TARGET, text, re.ASCII):
            reader.fault(key, f"got {member.kind}; {self._remedy(kind, name)}")
        elif kind == "header" and name.lower() == "set-cookie":
            reader.fault(key, "cookies are compared one by one: write cookie:<name>")
        else:
            return kind, name.lower() if kind == "header" else name
        return "", ""

    def _remedy(self, kind: str, name: str) -> str:
        if kind in ("header", "cookie") and not name:
            return f"name the {kind}, e.g. {kind}:{'etag' if kind == 'header' else 'sessionid'}; {_TARGET_HELP}"
        if kind in ("header", "cookie"):
            return f"that is no name of a {kind}, and a pattern is none either: write a rule for each {kind}; {_TARGET_HELP}"
        return f"{nearest(kind, ('body', 'header', 'cookie', 'status'))}{_TARGET_HELP}"

    def schema(self) -> dict[str, Any]:
        """A text of that form."""
        return {
            "type": "string",
            "pattern": f"^{_TARGET}$",
            "default": "body",
            "examples": ["body", "header:etag", "cookie:sessionid"],
        }


@dataclass(frozen=True, slots=True)
class RulePath:
    """An RFC 9535 path."""

    def read(self, reader: Reader, key: str) -> Path | None:
        """The parsed path."""
        member = reader.take(key)
        if member is None:
            return None
        if not isinstance(member.value, str) or not member.value:
            reader.fault(key, f'must be an RFC 9535 path in quotes, e.g. "$.results[*].updated_at", got {member.kind}')
            return None
        try:
            return parse_path(member.value)
        except PathError as error:
            reader.fault(key, f"{error}{_path_hint(member.value)}")
            return None

    def schema(self) -> dict[str, Any]:
        """A text that begins with `$`; its grammar is checked when the file is loaded."""
        return {"type": "string", "maxLength": MAX_PATH, "pattern": r"^\$", "examples": ["$.results[*].updated_at", "$..etag"]}


def _path_hint(text: str) -> str:
    if not text.startswith("$"):
        return f"; perhaps '$.{text.lstrip('.')}'" if re.fullmatch(r"[\w.*\[\]]{1,80}", text) else ""
    if re.search(r"\.[^.\[\]]*-", text):
        return "; a name with a dash is written in brackets: $['x-y']"
    return ""


def hides_everything(path: Path) -> bool:
    """Whether a path selects the whole body, or each value in it: `$`, `$.*`, `$..*` in any spelling."""
    return len(path.steps) < 2 and all(
        any(isinstance(selector, Wildcard) for selector in step.selectors) for step in path.steps
    )


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    """A route's template, with or without its method; `unrouted` for what no route matches."""

    def read(self, reader: Reader, key: str) -> tuple[str, str]:
        """The method (empty where it stands for all) and the template without parameter names, both empty by default."""
        member = reader.take(key)
        if member is None:
            return "", ""
        text = member.value if isinstance(member.value, str) else ""
        found = re.fullmatch(_ROUTE, text)
        if found is None:
            reader.fault(key, f"got {member.kind}; {_route_remedy(text)}")
            return "", ""
        return found[2] or "", template_of(found[3])

    def schema(self) -> dict[str, Any]:
        """A text that begins with a slash, or with a method."""
        return {"type": "string", "pattern": f"^{_ROUTE}$", "examples": ["/api/items/{id}/", "GET /api/items/", "unrouted"]}


def _route_remedy(text: str) -> str:
    method, _, rest = text.partition(" ")
    if rest.startswith("/") and method.upper() in METHODS:
        return f"did you mean '{method.upper()} {rest}'?"
    if rest.startswith("/"):
        return f"{shown(method)} is no method; {nearest(method.upper(), METHODS)}allowed methods: {', '.join(sorted(METHODS))}"
    if text.startswith("/") and "?" in text:
        return "a route has no query: write the template alone"
    form = "a route is a template such as /api/items/{id}/ (no pattern, no regex), or 'unrouted'"
    return f"{form}; perhaps '/{text}'" if re.fullmatch(r"[\w/{}.-]{1,80}", text) and not text.startswith("/") else form


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type without parameters, or `text/*`."""

    def read(self, reader: Reader, key: str) -> str:
        """The type in lower case; empty by default."""
        member = reader.take(key)
        if member is None:
            return ""
        text = member.value if isinstance(member.value, str) else ""
        if not re.fullmatch(_MEDIA, text.lower(), re.ASCII):
            bare = text.partition(";")[0].strip().lower()
            near = (
                f"write {bare!r}, parameters do not count" if re.fullmatch(_MEDIA, bare) else "e.g. application/json, or text/*"
            )
            reader.fault(key, f"must be one media type, {near}, got {member.kind}")
            return ""
        return text.lower()

    def schema(self) -> dict[str, Any]:
        """A text of that form in any case."""
        return {"type": "string", "pattern": f"^{_MEDIA.replace('a-z', 'a-zA-Z')}$", "examples": ["application/json", "text/*"]}
