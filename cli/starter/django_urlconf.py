"""Runs inside the monolith's own interpreter, so it imports nothing but Django: prints the URLconf's routes as JSON."""

import json

import django

django.setup()

from django.urls import URLPattern, URLResolver, get_resolver  # noqa: E402 - only after setup

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def methods_of(callback):
    actions = getattr(callback, "actions", None)
    if actions:
        return sorted(name.upper() for name in actions)
    view = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if view is None:
        return ["GET", "POST"]
    allowed = getattr(view, "http_method_names", METHODS)
    return sorted(name.upper() for name in METHODS if name in allowed and hasattr(view, name))


def text_of(pattern):
    route = getattr(pattern, "_route", None)
    if route is not None:
        return str(route)
    return None  # a re_path: its regex names no template, and guessing one would name routes wrongly


def walk(patterns, prefix):
    for entry in patterns:
        text = text_of(entry.pattern)
        if text is None:
            continue
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, prefix + text)
        elif isinstance(entry, URLPattern):
            yield {"route": prefix + text, "methods": methods_of(entry.callback)}


print(json.dumps(list(walk(get_resolver().url_patterns, ""))))
