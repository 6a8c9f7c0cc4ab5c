"""Mutates cases: bodies byte by byte, headers, codings, methods, statuses, cookies, rules, and the documents that hold them."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import brotli
import zstandard

from tests.differ.fuzz_words import ACTIONS, HEADER_VALUES, HEADERS, JUNK, LIMITS, PATHS, PRESETS, TARGETS, TOKENS, VALUES

DATA = Path(__file__).parent / "data"
MAX_BODY = 64 << 10
"""Bytes of a mutated body before its codings are undone."""
CODERS = {
    "gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "x-gzip": lambda body: gzip.compress(body, 1, mtime=0),
    "deflate": lambda body: zlib.compress(body, 1),
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": lambda body: zstandard.ZstdCompressor(level=1).compress(body),
}


FILES = ("differ.jsonl", "own.jsonl", "fuzz/seeds.jsonl", "fuzz/kept.jsonl")


def seeds(*files: str) -> list[dict[str, Any]]:
    """The cases that mutation starts from: the case files, seeds of all kinds of bodies, and what was found before."""
    found = []
    for path in (DATA / name for name in files or FILES):
        found += [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return found


def bytes_of(body: Any) -> bytes:
    """The bytes of a case's body, none where it is no body."""
    if isinstance(body, dict) and isinstance(body.get("b64"), str):
        try:
            return base64.b64decode(body["b64"])
        except ValueError:
            return b""
    return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else b""


class Fuzzer:
    """Makes mutated cases from seeds."""

    def __init__(self, corpus: Sequence[dict[str, Any]]) -> None:
        self.random = random.Random(0)
        self.corpus = corpus
        sides = [case[side] for case in corpus for side in ("primary", "candidate") if side in case]
        self.bodies = sorted({bytes_of(side.get("body")) for side in sides})

    def start(self, seed: str) -> None:
        """Begins anew: what follows depends on `seed` alone."""
        self.random.seed(seed)

    def case(self) -> Any:
        """A mutated case; now and then it is no case at all."""
        case = copy.deepcopy(self.random.choice(self.corpus))
        for _ in range(self.random.choice((1, 1, 2, 2, 3, 5))):
            self.random.choice(self._mutations)(self, case)
        if self.random.random() < 0.04:
            return self._junked(case)
        return case

    def message(self) -> bytes:
        """A mutated stored response: raw HTTP, HAR or JSON."""
        case = self.case()
        answer = case.get("primary") if isinstance(case, dict) else None
        answer = answer if isinstance(answer, dict) else {}
        body, headers = bytes_of(answer.get("body")), answer.get("headers")
        roll = self.random.random()
        if roll < 0.4:
            text = json.dumps(answer, default=str).encode("utf-8", "surrogatepass")
        elif roll < 0.6:
            text = json.dumps(
                {"response": {**answer, "content": {"text": body.decode("latin-1"), "encoding": "base64"}}}, default=str
            ).encode()
        else:
            lines = [b"HTTP/1.1 %d OK" % self.random.choice((200, 204, 304, 99))]
            pairs = headers if isinstance(headers, list) else []
            lines += [": ".join(map(str, pair)).encode("utf-8", "surrogatepass") for pair in pairs if isinstance(pair, list)]
            if self.random.random() < 0.5:
                lines.append(b"Transfer-Encoding: chunked")
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            text = b"\r\n".join(lines) + b"\r\n\r\n" + body
        return self._mutated(text) if self.random.random() < 0.7 else text

    # bodies

    def _side(self, case: dict[str, Any]) -> dict[str, Any]:
        side = case.setdefault(self.random.choice(("primary", "candidate", "candidate", "candidate")), {"status": 200})
        if not isinstance(side, dict):
            side = {"status": 200}
        return side

    def _mutated(self, body: bytes) -> bytes:
        for _ in range(self.random.choice((1, 1, 2, 3, 8))):
            at = self.random.randrange(len(body) + 1)
            to = min(len(body), at + self.random.choice((0, 1, 1, 2, 4, 16, 64)))
            roll = self.random.random()
            if roll < 0.3:
                body = body[:at] + self.random.choice(TOKENS) + body[to:]
            elif roll < 0.45 and body:
                at = min(at, len(body) - 1)
                body = body[:at] + bytes([body[at] ^ (1 << self.random.randrange(8))]) + body[at + 1 :]
            elif roll < 0.6:
                body = body[:at] + body[to:]
            elif roll < 0.75:
                body = body[:at] + body[at:to] * self.random.choice((2, 3, 50)) + body[to:]
            elif roll < 0.85:
                other = self.random.choice(self.bodies)
                cut = self.random.randrange(len(other) + 1)
                body = body[:at] + other[cut:]
            elif roll < 0.9:
                body = body[:at]
            elif roll < 0.95:
                body = body * self.random.choice((2, 10, 200))
            else:
                body = body[:at] + self.random.randbytes(4) + body[to:]
            body = body[:MAX_BODY]
        return body

    def body(self, case: dict[str, Any]) -> None:
        side = self._side(case)
        side["body"] = {"b64": base64.b64encode(self._mutated(bytes_of(side.get("body")))).decode()}

    def both_bodies(self, case: dict[str, Any]) -> None:
        base = self._mutated(self.random.choice(self.bodies))
        for name in ("primary", "candidate"):
            if isinstance(case.get(name), dict):
                body = self._mutated(base) if self.random.random() < 0.6 else base
                case[name]["body"] = {"b64": base64.b64encode(body).decode()}

    def grown(self, case: dict[str, Any]) -> None:
        """Both bodies become long lists, deep nests or long repetitions of a few parts, alike but for some of them."""
        pool = VALUES if self.random.random() < 0.7 else [*TOKENS, *(body[:200] for body in self.random.sample(self.bodies, 5))]
        parts = self.random.choices(pool, k=self.random.choice((1, 2, 5)))
        count = self.random.choice((3, 30, 300, 3_000))
        opening, between, closing = self.random.choice(
            (
                (b"[", b",", b"]"),
                (b'{"a":[', b",", b"]}"),
                (b"", b"", b""),
                (b"", b"\n", b"\n"),
                (b"<p>", b"</p><p>", b"</p>"),
                (b"[", b",[", b"]" * count),
            )
        )
        chosen = self.random.choices(parts, k=count)
        for name in ("primary", "candidate"):
            if isinstance(case.get(name), dict):
                if self.random.random() < 0.5:
                    chosen[self.random.randrange(count)] = self.random.choice(pool)
                if self.random.random() < 0.3:
                    self.random.shuffle(chosen)
                body = (opening + between.join(chosen) + closing)[: 4 * MAX_BODY]
                case[name]["body"] = {"b64": base64.b64encode(body).decode()}

    def coding(self, case: dict[str, Any]) -> None:
        side = self._side(case)
        names = self.random.choices(sorted(CODERS), k=self.random.choice((1, 1, 2, 4)))
        body = bytes_of(side.get("body"))
        for name in names:
            body = CODERS[name](body)
        if self.random.random() < 0.4:
            body = self._mutated(body)
        side["body"] = {"b64": base64.b64encode(body).decode()}
        headers = side.setdefault("headers", [])
        if isinstance(headers, list):
            headers.append(["Content-Encoding", ", ".join(names)])

    # what stands around them

    def header(self, case: dict[str, Any]) -> None:
        holder = self._side(case) if self.random.random() < 0.8 else case.setdefault("request", {})
        headers = holder.setdefault("headers", []) if isinstance(holder, dict) else []
        if not isinstance(headers, list):
            return
        roll = self.random.random()
        if roll < 0.5:
            headers.append([self.random.choice(HEADERS), self.random.choice(HEADER_VALUES)])
        elif roll < 0.65 and headers:
            headers.pop(self.random.randrange(len(headers)))
        elif roll < 0.9 and headers:
            pair = self.random.choice(headers)
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], str):
                pair[1] = self._mutated(pair[1].encode("latin-1", "replace"))[:4_000].decode("latin-1")
        else:
            headers.extend([self.random.choice(HEADERS), self.random.choice(HEADER_VALUES)] for _ in range(20))

    def line(self, case: dict[str, Any]) -> None:
        request = case.setdefault("request", {})
        if isinstance(request, dict):
            request["method"] = self.random.choice(("GET", "HEAD", "POST", "OPTIONS", "get", "", "X" * 200))
            request["path"] = self.random.choice(
                ("/", "/api/items/", "/\ud800", "", "*", "/?" + "a" * 500, "/{id}", "http://x/")
            )
            if self.random.random() < 0.3:
                request["route"] = self.random.choice(("/api/items/{id}/", "unrouted", "GET /", "{", "\0"))

    def status(self, case: dict[str, Any]) -> None:
        status = self.random.choice((200, 204, 304, 301, 302, 307, 400, 403, 404, 405, 422, 429, 500, 100, 999, 99))
        for side in ("primary", "candidate"):
            if isinstance(case.get(side), dict) and self.random.random() < 0.7:
                case[side]["status"] = status

    def failure(self, case: dict[str, Any]) -> None:
        side = self._side(case)
        side[self.random.choice(("error", "truncated"))] = self.random.choice(JUNK)

    def rule(self, case: dict[str, Any]) -> None:
        rules = case.setdefault("rules", [])
        if not isinstance(rules, list):
            return
        rule = {"path": self.random.choice(PATHS), **self.random.choice(ACTIONS)}
        if self.random.random() < 0.25:
            rule["target"] = self.random.choice(TARGETS)
            if self.random.random() < 0.8:
                del rule["path"]
        if self.random.random() < 0.1:
            rule["scope"] = self.random.choice(
                ({"status": ["2xx", "!204"]}, {"route": "/api/items/{x}/"}, {"method": ["GET"]}, *JUNK)
            )
        if self.random.random() < 0.1:
            rule["expires"] = self.random.choice(("2020-01-01", "2030-01-01", "x", 1))
        rules.append(rule)

    def setting(self, case: dict[str, Any]) -> None:
        settings = case.setdefault("settings", {})
        if isinstance(settings, dict):
            settings["limits"] = self.random.choice(LIMITS)
            settings["class1"] = {
                "disable": self.random.choice(([], ["repr:number"], ["html:tokens", "repr:url"], ["cookie:attributes"]))
            }
            settings["drop_query"] = self.random.choice(([], [["page", "1"]], ["a=1"]))
        case["presets"] = self.random.sample(PRESETS, self.random.randrange(3))

    _often = (body, body, both_bodies, both_bodies, grown, grown, header, header, rule, rule, rule)
    _mutations = (*_often, *_often, coding, line, status, setting, failure)

    def _junked(self, value: Any) -> Any:
        if isinstance(value, dict) and value and self.random.random() < 0.85:
            key = self.random.choice(sorted(value))
            return {**value, key: self._junked(value[key])}
        if isinstance(value, list) and value and self.random.random() < 0.85:
            at = self.random.randrange(len(value))
            return [*value[:at], self._junked(value[at]), *value[at + 1 :]]
        return self.random.choice(JUNK)
