"""One stored request as a shell line. Nothing of it is ever run by Paritygate; secrets are `$VARS`."""

from __future__ import annotations

import base64
import re
import shlex

from export.requests import TOKEN, header_pairs, secret_names
from store.records import Example


def curl_line(example: Example, base_url: str = "http://127.0.0.1:8002") -> str:
    """A `curl` command that repeats the request against `base_url`; `shlex.split` gives back each argument.

    Redacted values become `"$PARITYGATE_AUTH_1"` and so on. A body that is not printable text goes through `base64 -d`, because
    no shell argument holds every byte.
    """
    request = example.request
    secrets = secret_names([example])
    arguments = ["curl", "-sS", "-i", "--globoff", "--path-as-is"]
    if request.method == "HEAD":
        arguments.append("--head")
    else:
        arguments += ["-X", shlex.quote(request.method)]
    for name, value in header_pairs(request):
        arguments += ["-H", _quoted(f"{name}: {value}" if value else f"{name};", secrets)]
    pipe = ""
    if request.body:
        text = _printable(request.body)
        if text is None:
            pipe = f"printf %s {base64.b64encode(request.body).decode('ascii')} | base64 -d | "
            arguments += ["--data-binary", "@-"]
        else:
            arguments += ["--data-raw", _quoted(text, secrets)]
    target = request.target.decode("latin-1")
    visible = re.sub(r"[^\x21-\x7e]", lambda found: f"%{ord(found[0]):02X}", target)
    arguments.append(_quoted(base_url.rstrip("/") + (visible if visible.startswith("/") else "/" + visible), secrets))
    return pipe + " ".join(arguments)


def _printable(body: bytes) -> str | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char == "\n" for char in text) else None


def _quoted(text: str, secrets: dict[str, str]) -> str:
    """One shell word; a redacted token in it becomes a variable in double quotes, which the shell joins to the rest."""
    parts, at = [], 0
    for found in TOKEN.finditer(text):
        if found[0] in secrets:
            if text[at : found.start()]:
                parts.append(shlex.quote(text[at : found.start()]))
            parts.append(f'"${secrets[found[0]]}"')
            at = found.end()
    if text[at:] or not parts:
        parts.append(shlex.quote(text[at:]))
    return "".join(parts)
