"""Rule files bent at random, byte by byte and part by part: what a test asks the loader to survive."""

from __future__ import annotations

from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
EXAMPLE = """version: 1
bases: {primary: ["https://api.example.com"], candidate: ["http://fastapi:8001"]}
drop_query: [["page", "1"], "offset=0"]
class1: {disable: [repr:number]}
limits: {body: 8MiB, depth: 200, diffs: 50, nodes: 2000000}
presets:
  - {name: drf-fastapi-errors, reason: "kept", owner: api-guild, decision: ADR-17, permanent: true}
  - {name: django-headers, reason: "set by the gateway", owner: platform, expires: 2027-02-28}
rules:
  - id: items.updated_at
    scope: {method: [GET], route: "/api/items/", status: ["2xx", "!204"], content_type: "application/json"}
    target: body
    path: "$.results[*].updated_at"
    action: normalise
    as: datetime
    tol_s: 2
    reason: &why >-
      auto_now runs
      on both sides
    owner: team-catalogue
    ticket: 'MIG-123'
    expires: 2027-01-31
    max_rate: 0.05
  - {id: u, path: $.list, action: unordered, reason: *why, owner: y, expires: 2027-01-01}
  - {id: k, path: "$..rows", action: keyed, by: [a, b], order: kept, reason: x, owner: y, expires: 2027-01-01}
  - {id: f, path: "$[?@.a > 1].b[-1]", action: regex, pattern: "[a-z]{1,5}", reason: x, owner: y, expires: 2027-01-01}
  - {id: m, target: status, action: map, primary: [403, 404], candidate: 401, reason: x, owner: y, expires: 2027-01-01}
  - {id: h, target: "header:etag", action: present_only, reason: x, owner: y, expires: 2027-01-01}
  - {id: e, path: "$.results[0]['a b']", action: exact, reason: x, owner: y, expires: 2027-01-01}
"""
SEEDS = [
    EXAMPLE.encode(),
    (ROOT / "cli/starter/rules.yaml").read_bytes(),
    (ROOT / "demo/rules/demo.yaml").read_bytes(),
    *(path.read_bytes() for path in sorted((ROOT / "rules/presets").glob("*.yaml"))),
]
WORDS = (
    *(
        b": ",
        b"\n",
        b"\n  - ",
        b"\n---\n",
        b"\n...\n",
        b"- ",
        b"? ",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"#",
        b"'",
        b'"',
        b"|\n",
        b">-\n",
        b"\t",
    ),
    *(
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!str ",
        b"!!python/name:os.system ",
        b"!",
        b"!<x> ",
        b"%YAML 1.1\n",
        b"%TAG ! x\n",
        b"@",
        b"`",
        b"~",
    ),
    *(
        b"null",
        b"true",
        b"yes",
        b".nan",
        b".inf",
        b"-0",
        b"0777",
        b"0x1F",
        b"1:30",
        b"1e999",
        b"1_000",
        b"9" * 50,
        b"9" * 5_000,
        b"-1",
        b"2027-02-30",
    ),
    *(
        b"\0",
        b"\x1b",
        b"\x85",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xe2\x80\xa8",
        b"\xf0\x9f\x98\x80",
        b"\\ud800",
        b"\\x00",
        b"\\U00110000",
    ),
    *(
        b"version: 1",
        b"rules:",
        b"presets:",
        b"id",
        b"scope",
        b"status",
        b"4xx",
        b"!405",
        b"method",
        b"target",
        b"header:",
        b"cookie:a",
    ),
    *(
        b"path",
        b"$",
        b"$..*",
        b"$.a[*]",
        b"$[?@.a]",
        b"$[-1]",
        b"$[",
        b"action",
        b"ignore",
        b"normalise",
        b"tolerance",
        b"type_only",
        b"regex",
    ),
    *(
        b"unordered",
        b"keyed",
        b"correlate",
        b"exact",
        b"map",
        b"as: ",
        b"tol_s: ",
        b"types: ",
        b"pattern: ",
        b"by: ",
        b"(a+)+$",
        b"\\p{L}{1000}",
    ),
    *(
        b"expires",
        b"permanent: true",
        b"decision",
        b"owner",
        b"reason",
        b"max_rate",
        b"limits",
        b"body: 8MiB",
        b"bases",
        b"drop_query",
        b"class1",
    ),
)


def mutated(random: Random) -> bytes:
    """A file with one to eight changes, at most about a hundred thousand bytes."""
    raw = bytearray(random.choice(SEEDS))
    for _ in range(random.randint(1, 8)):
        at = random.randint(0, len(raw))
        end = min(len(raw), at + random.choice((1, 2, 5, 20, 100, 500)))
        how = random.randint(0, 8)
        if how == 0 and at < len(raw):
            raw[at] = random.randint(0, 255)
        elif how == 1 and at < len(raw):
            raw[at] ^= 1 << random.randint(0, 7)
        elif how == 2:
            del raw[at:end]
        elif how in (3, 4):
            raw[at:at] = random.choice(WORDS)
        elif how == 5:
            raw[at:end] = random.choice(WORDS)
        elif how == 6:
            raw[at:at] = bytes(raw[at:end]) * random.choice((1, 2, 10, 50))
        elif how == 7:
            other = random.choice(SEEDS)
            start = random.randint(0, len(other))
            raw[at:end] = other[start : start + random.choice((5, 50, 500))]
        else:
            raw[at:at] = random.choice(WORDS) * random.choice((2, 30, 1_000))
        del raw[100_000:]
    return bytes(raw)
