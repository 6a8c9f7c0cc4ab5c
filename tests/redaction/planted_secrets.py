"""Exchanges with a secret in every place where one can stand. Each place takes any number and makes a secret of its own of it."""

from __future__ import annotations

import base64
import gzip
import html
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from traffic.message import Headers, Response
from traffic.redact_shape import luhn, mod97

SEEN = "canary-in-clear"
"""Stands in every exchange and is no secret: a search that does not find it finds nothing."""
JSON, HTML = b"application/json", b"text/html; charset=utf-8"
FORM = b"application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Planted:
    """One exchange and the secrets in it. `candidate` is what the candidate puts on the wire."""

    place: str
    secrets: tuple[str, ...]
    target: bytes
    headers: Headers
    method: str
    body: bytes
    live: Response
    candidate: bytes


def word(rng: random.Random) -> str:
    return "zQ" + "".join(rng.choices("abcdefghijkmnpqrstuvwxyz23456789", k=16)) + "7Kx"


def card(rng: random.Random) -> str:
    digits = "4" + "".join(rng.choices("0123456789", k=14))
    return next(digits + str(last) for last in range(10) if luhn(digits + str(last)))


def spaced_card(rng: random.Random) -> str:
    digits = card(rng)
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4))


def email(rng: random.Random) -> str:
    return f"{word(rng).lower()}@mail{rng.randrange(100)}.example.org"


def iban(rng: random.Random) -> str:
    account = "".join(rng.choices("0123456789", k=18))
    return next(text for check in range(2, 99) if mod97(text := f"DE{check:02}{account}"))


def jwt(rng: random.Random) -> str:
    return ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"HS256"}', json.dumps({"sub": word(rng)}).encode(), rng.randbytes(32))
    )


def pem(rng: random.Random) -> str:
    inner = base64.encodebytes(rng.randbytes(120)).decode()
    return f"-----BEGIN RSA PRIVATE KEY-----\n{inner}-----END RSA PRIVATE KEY-----"


def key_of(prefix: str, size: int) -> Callable[[random.Random], str]:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789" if prefix == "AKIA" else "abcdefgABCDEFG0123456789"
    return lambda rng: prefix + "".join(rng.choices(letters, k=size))


def forms(secret: str) -> set[bytes]:
    """How a secret may be spelt in what is written: as it is, for URLs, JSON, markup, in base64 at any place, in hex."""
    raw = secret.encode()
    spelt = {raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), json.dumps(secret)[1:-1].encode()}
    spelt |= {html.escape(secret).encode(), raw.hex().encode(), secret.replace(" ", "").encode()}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        spelt.add(coded[4 if shift else 0 : len(coded) - 4])
    if secret.startswith("-----"):
        spelt |= {line.encode() for line in secret.splitlines() if "-----" not in line}
    return {form for form in spelt if len(form) >= 8}


def wire(body: bytes, kind: bytes = JSON, *lines: bytes, status: int = 200) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def answer(body: bytes, kind: bytes = JSON, *headers: tuple[bytes, bytes], status: int = 200) -> Response:
    return Response(status, ((b"Content-Type", kind), *headers, (b"Content-Length", b"%d" % len(body))), body)


class Plan:
    """Collects exchanges; unless a place says otherwise, the two answers differ in one number and show SEEN."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.made: list[Planted] = []

    def add(
        self,
        place: str,
        secrets: Iterable[str],
        target: str = "/a",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        live: Response | None = None,
        candidate: bytes | None = None,
    ) -> None:
        number = len(self.made)
        ours = live or answer(json.dumps({"n": 1, "seen": SEEN, f"f{number}": 1}).encode())
        theirs = candidate or wire(json.dumps({"n": 1, "seen": SEEN, f"f{number}": 2}).encode())
        given = tuple((name.encode(), value.encode()) for name, value in (("X-Number", str(number)), *headers))
        method = "GET" if body is None else "POST"
        planted = Planted(place, tuple(secrets), target.encode(), given, method, body or b"", ours, theirs)
        self.made.append(planted)

    def both(
        self, place: str, secrets: tuple[str, str], page: Callable[[str], str], kind: bytes = JSON, status: int = 200
    ) -> None:
        """Both answers hold a secret of their own at the place, so that it stands in a difference's texts as well."""
        ours, theirs = (page(secret).encode() for secret in secrets)
        self.add(place, secrets, live=answer(ours, kind, status=status), candidate=wire(theirs, kind, status=status))


def request_places(plan: Plan) -> None:
    def w() -> str:
        return word(plan.rng)

    s = w()
    plan.add("bearer", [s], headers=[("Authorization", f"Bearer {s}")])
    s = base64.b64encode(f"ann:{w()}".encode()).decode()
    plan.add("basic", [s], headers=[("Authorization", f"Basic {s}")])
    s, t = w(), w()
    plan.add("cookies", [s, t], headers=[("Cookie", f'theme={s}; sessionid="{t}"')])
    s, t = w(), w()
    plan.add("key headers", [s, t], headers=[("X-Api-Key", s), ("X-CSRF-Token", t)])
    s = w()
    plan.add("query", [s], target=f"/a?token={s}&a=1")
    s = w()
    plan.add("percent-encoded name", [s], target=f"/a?%74oken={s}")
    s, t = w(), w()
    plan.add("nested name", [s, t], target=f"/a?auth[access_token]={s}&filter.password={t}")
    s = w() + " &" + w()
    plan.add("percent-encoded value", [s], target=f"/a?password={quote_plus(s)}")
    s = w()
    plan.add("URL in a query", [s], target=f"/a?next=%2Fx%3Ftoken%3D{s}")
    s = w()
    plan.add("escaped twice", [s], target=f"/a?next=%252Fx%253Ftoken%253D{s}")
    s = w()
    plan.add("path parameter", [s], target=f"/a;jsessionid={s}")
    s = w()
    plan.add("configured field", [s], target=f"/a?voucher={s}")
    s = w()
    plan.add("referer", [s], headers=[("Referer", f"https://h/?token={s}")])
    s = w()
    plan.add("userinfo and fragment", [s], headers=[("Referer", f"https://u:{s}@h/#access_token={s}")])
    s = w()
    plan.add("other header's text", [s], headers=[("X-Debug", f"user=ann password={s}")])
    s = email(plan.rng)
    plan.add("e-mail in a path", [s], target=f"/a/{quote(s)}")
    s = spaced_card(plan.rng)
    plan.add("card in a query", [s], target=f"/a?q={quote_plus(s)}")


def body_places(plan: Plan) -> None:
    def w() -> str:
        return word(plan.rng)

    typed = "Content-Type"
    s = w()
    plan.add("JSON sent", [s], headers=[(typed, "application/json")], body=json.dumps({"a": [{"password": s}]}).encode())
    s = w()
    plan.add("form", [s], headers=[(typed, FORM.decode())], body=f"u=1&user%5Bpassword%5D={s}".encode())
    s = w()
    form = f'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n{s}\r\n--b--\r\n'
    plan.add("multipart", [s], headers=[(typed, "multipart/form-data; boundary=b")], body=form.encode())
    s = w()
    plan.add("coded body", [s], headers=[("Content-Encoding", "gzip")], body=gzip.compress(s.encode(), mtime=0))
    two = lambda: (w(), w())  # noqa: E731
    plan.both("JSON member", two(), lambda s: json.dumps({"seen": SEEN, "token": s}))
    plan.both("JSON in lists", two(), lambda s: json.dumps({"items": [[1, {"secret": {"deep": [s]}}]]}))
    plan.both("odd name", two(), lambda s: f'{{"newP\\u0061ssword2": "{s}"}}')
    plan.both("JSON path", two(), lambda s: json.dumps({"user": {"pin": s}}))
    plan.both("filter path", two(), lambda s: json.dumps({"cards": [{"kind": "x", "cvc": s}]}))
    plan.both("JSON in a text", two(), lambda s: json.dumps({"raw": json.dumps({"api_key": s})}))
    plan.both("name twice", two(), lambda s: f'{{"token": "{s}", "token": "{s}", "a": 1}}')
    s = w()
    plan.add("broken JSON", [s], candidate=wire(f'{{"password": "{s}"'.encode()))
    plan.both("whole object added", two(), lambda s: json.dumps({f"k{s[2]}": {"password": s, "x": [1]}}))
    plan.both("HTML field", two(), lambda s: f"<html><p>{SEEN}</p><input name='password' value='{s}'></html>", HTML)
    plan.both("HTML meta", two(), lambda s: f"<html><meta content='{s}' name='csrf-token'></html>", HTML)
    plan.both("HTML script", two(), lambda s: f"<html><script>var cfg = {{apiKey: '{s}'}}</script></html>", HTML)
    plan.both("HTML attribute", two(), lambda s: f'<html><div data-csrf-token="{s}"></div></html>', HTML)
    plan.both("HTML text", two(), lambda s: f"<html><p>Authorization: Bearer {s}</p></html>", HTML)
    plan.both("HTML link", two(), lambda s: f"<html><a href='/x?next=%2F%3Ftoken%3D{s}'>x</a></html>", HTML)
    plan.both("XML", two(), lambda s: f"<a><token>{s}</token><password><value>{s}</value></password></a>", b"application/xml")
    plan.both("error text", two(), lambda s: f"login failed: password={s}", b"text/plain", 500)
    plan.both("error JSON", two(), lambda s: json.dumps({"detail": f"bad URL https://u:{s}@h/?token={s}"}), JSON, 500)
    plan.both("CSV", two(), lambda s: f"user,password\nbob,{s}\n", b"text/csv")


def answer_places(plan: Plan) -> None:
    s, t = word(plan.rng), word(plan.rng)
    ours, theirs = b'{"a": 1}', b'{"a": 2}'
    cookie = (b"Set-Cookie", f"sessionid={s}; HttpOnly; Path=/".encode())
    plan.add(
        "Set-Cookie",
        [s, t],
        live=answer(ours, JSON, cookie),
        candidate=wire(theirs, JSON, f"Set-Cookie: sessionid={t}".encode()),
    )
    s, t = word(plan.rng), word(plan.rng)
    to = (b"Location", f"https://u:{s}@h/cb#access_token={s}".encode())
    plan.add(
        "redirect",
        [s, t],
        live=answer(b"", JSON, to, status=302),
        candidate=wire(b"", JSON, f"Location: /cb?token={t}".encode(), status=302),
    )
    s, t = word(plan.rng), word(plan.rng)
    link = (b"Link", f'<https://h/?token={s}>; rel="next"'.encode())
    plan.add(
        "link", [s, t], live=answer(ours, JSON, link), candidate=wire(theirs, JSON, f"Link: </?token={t}>; rel=next".encode())
    )
    s = word(plan.rng)
    coded = gzip.compress(json.dumps({"token": s}).encode(), mtime=0)
    plan.add("coded answer", [s], live=answer(ours), candidate=wire(coded, JSON, b"Content-Encoding: gzip"))
    s = word(plan.rng)
    chunked = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Auth-Token\r\n\r\n"
    plan.add(
        "trailer",
        [s],
        live=answer(ours),
        candidate=chunked + f"8\r\n{theirs.decode()}\r\n0\r\nX-Auth-Token: {s}\r\n\r\n".encode(),
    )
    s = word(plan.rng)
    plan.add("no HTTP at all", [s], live=answer(ours), candidate=f"HTTP/9.9 password={s}\r\n\r\n".encode())
    s = word(plan.rng)
    plan.add("bad header line", [s], live=answer(ours), candidate=f"HTTP/1.1 200 X\r\ntoken {s}\r\n\r\n".encode())


def valued_places(plan: Plan) -> None:
    rng = plan.rng
    makers: dict[str, Callable[[random.Random], str]] = {
        "card": card,
        "card with spaces": spaced_card,
        "e-mail": email,
        "IBAN": iban,
        "JWT": jwt,
        "PEM": pem,
        "AWS": key_of("AKIA", 16),
        "GitHub": key_of("ghp_", 36),
        "Stripe": key_of("sk_live_", 24),
        "Google": key_of("AIza", 35),
        "Slack": key_of("xoxb-", 30),
    }
    for name, make in makers.items():
        plan.both(f"{name} in JSON", (make(rng), make(rng)), lambda s: json.dumps({"note": f"see {s}", "seen": SEEN}))
        plan.both(f"{name} in HTML", (make(rng), make(rng)), lambda s: f"<html><p>{s}</p></html>", HTML)
    plan.both("card as a number", (card(rng), card(rng)), lambda s: f'{{"reference": {s}}}')
    plan.both("e-mail as a name", (email(rng), email(rng)), lambda s: json.dumps({"by": {s: {"n": 1}}}))


def planted(seed: int, rounds: int) -> list[Planted]:
    """`rounds` times every place, each time with other secrets."""
    plan = Plan(seed)
    for _ in range(rounds):
        for places in (request_places, body_places, answer_places, valued_places):
            places(plan)
    return plan.made
