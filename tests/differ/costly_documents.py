"""Costly documents: many members, deep ones, long numbers and texts, paths that are asked of the document."""

from __future__ import annotations

import json

from tests.differ.costly import UNORDERED, Pair, Sized, documents, nested, raw, rule

CASES: dict[str, Sized] = {
    "depth 100,000": (lambda n: Pair(raw(nested(n, "1")), raw(nested(n, "2"))), 100_000),
    "depth 100,000 in objects": (lambda n: Pair(raw(nested(n, "1", '{"a":')), raw(nested(n, "2", '{"a":'))), 100_000),
    "depth 4,000,000 open": (lambda n: Pair(raw(b"[" * n), raw(b"[" * (n + 1))), 4_000_000),
    "many dicts of one key": (
        lambda n: documents([{"a": {"b": at}} for at in range(n)], [{"a": {"b": -at}} for at in range(n)]),
        30_000,
    ),
    "10^5 equal keys": (lambda n: documents({f"k{at}": at for at in range(n)}, {f"k{at}": at + 1 for at in range(n)}), 100_000),
    "10^5 other keys": (lambda n: documents({f"k{at}": at for at in range(n)}, {f"l{at}": at for at in range(n)}), 100_000),
    "10^5 keys reordered": (
        lambda n: documents({f"k{at}": at for at in range(n)}, {f"k{at}": at for at in reversed(range(n))}),
        100_000,
    ),
    "10^5 keys under ignore and exact": (
        lambda n: documents(
            {"a": {f"k{at}": at for at in range(n)}},
            {"a": {f"k{at}": at + 1 for at in range(n)}},
            rule("$.a", "ignore"),
            rule("$.a.k1", "exact"),
        ),
        100_000,
    ),
    "10^5 keys in dynamic paths": (
        lambda n: documents(
            {f"k{at}": at for at in range(n)}, {f"k{at}": at + 1 for at in range(n)}, rule("$[?@ > 5]", "tolerance", abs=1)
        ),
        100_000,
    ),
    "filter in filter": (
        lambda n: documents(
            {"a": list(range(n))}, {"a": list(range(1, n + 1))}, rule("$.a[?count($.a[*]) > 1]", "tolerance", abs=1)
        ),
        2_000,
    ),
    "filter with descents": (
        lambda n: documents(
            {"a": list(range(n))}, {"a": list(range(1, n + 1))}, rule("$..[?count($..*) > 1]", "tolerance", abs=1)
        ),
        2_000,
    ),
    "descents in a chain": (
        lambda n: Pair(raw(nested(n, "1")), raw(nested(n, "2")), (rule("$..*..*..*..[0:]", "type_only"),)),
        60,
    ),
    "descents in a chain over a list": (
        lambda n: documents([[[at]] for at in range(n)], [[[at + 1]] for at in range(n)], rule("$..*..*..[::2]", "type_only")),
        5_000,
    ),
    "hostile keys": (lambda n: documents({"a" * at: 1 for at in range(n)}, {"a" * at: 2 for at in range(n)}), 2_000),
    "digits, huge integers": (lambda n: Pair(raw(b"[" + b"9" * n + b"]"), raw(b"[" + b"9" * (n - 1) + b"8]")), 4_000_000),
    "digits, integers of 4,300": (
        lambda n: Pair(
            raw(b"[" + b",".join([b"9" * 4_300] * n) + b"]"), raw(b"[" + b",".join([b"9" * 4_299 + b"8"] * n) + b"]")
        ),
        900,
    ),
    "digits, unordered integers of 4,300": (
        lambda n: Pair(
            raw(b"[" + b",".join([b"9" * 4_296 + b"%04d" % at for at in range(n)]) + b"]"),
            raw(b"[" + b",".join([b"8" * 4_296 + b"%04d" % at for at in range(n)]) + b"]"),
            (UNORDERED,),
        ),
        900,
    ),
    "digits, fractions": (lambda n: Pair(raw(b"[0." + b"9" * n + b"]"), raw(b"[0." + b"9" * (n - 1) + b"8]")), 4_000_000),
    "digits, exponents": (
        lambda n: Pair(raw(b"[" + b"1e999999999," * n + b"1]"), raw(b"[" + b"1e999999998," * n + b"1]")),
        50_000,
    ),
    "digits, exponents against integers": (
        lambda n: Pair(raw(b"[" + b"1e999999999," * n + b"1]"), raw(b"[" + b"7," * n + b"1]")),
        50_000,
    ),
    "digits, exponents unordered": (
        lambda n: Pair(
            raw(b"[" + b",".join(b"%de99999999" % at for at in range(n)) + b"]"),
            raw(b"[" + b",".join(b"%de99999998" % at for at in range(n)) + b"]"),
            (UNORDERED,),
        ),
        20_000,
    ),
    "digits, exponents within a tolerance": (
        lambda n: Pair(
            raw(b"[" + b"1e999999999," * n + b"1]"), raw(b"[" + b"7," * n + b"1]"), (rule("$[*]", "tolerance", abs=1, rel=0.1),)
        ),
        20_000,
    ),
    "digits, relation of huge integers": (
        lambda n: Pair(
            raw(b"[" + b",".join(b"%d" % at + b"9" * 4_290 for at in range(n)) + b"]"),
            raw(b"[" + b",".join(b"%d" % at + b"8" * 4_290 for at in range(n + 1)) + b"]"),
        ),
        900,
    ),
    "a string of digits": (lambda n: documents({"a": "9" * n}, {"a": "9" * n + "8"}), 4_000_000),
    "a string of digits under every form": (
        lambda n: documents(
            {"a": "9" * n},
            {"a": "9" * n + "8"},
            *(
                rule("$.a", "normalise", **{"as": form})
                for form in [
                    "datetime",
                    "date",
                    "decimal",
                    "duration",
                    "uuid",
                    "url",
                    "whitespace",
                    "strip",
                    "casefold",
                    "html",
                    "number",
                    "json",
                ]
            ),
            rule("$.a", "tolerance", abs=1, rel=1, tol_s=1),
        ),
        3_000_000,
    ),
    "a string of markup as html": (
        lambda n: documents({"a": "<a b='" * n}, {"a": '<a b="' * n}, rule("$.a", "normalise", **{"as": "html"})),
        100_000,
    ),
    "a string of blanks as whitespace": (
        lambda n: documents({"a": " x" * n}, {"a": "  x" * n + "y"}, rule("$.a", "normalise", **{"as": "whitespace"})),
        1_000_000,
    ),
    "a string of JSON as json": (
        lambda n: documents(
            {"a": json.dumps(list(range(n)))}, {"a": json.dumps(list(range(n + 1)))}, rule("$.a", "normalise", **{"as": "json"})
        ),
        100_000,
    ),
    "strings of JSON as json, unordered": (
        lambda n: documents(
            [json.dumps(list(range(at, at + 100))) for at in range(n)],
            [json.dumps(list(range(at, at + 101))) for at in range(n)],
            UNORDERED,
            rule("$[*]", "normalise", **{"as": "json"}),
        ),
        2_000,
    ),
    "a list of long links": (
        lambda n: documents(
            [f"http://django.internal/?{'&'.join(f'a{k}=1' for k in range(300))}&b={at}" for at in range(n)],
            [f"http://django.internal/?{'&'.join(f'a{k}=1' for k in range(300))}&c={at}" for at in range(n)],
        ),
        2_000,
    ),
    "8 MiB of brackets and commas": (lambda n: Pair(raw(b"[" + b"[]," * n + b"1]"), raw(b"[" + b"[]," * n + b"2]")), 600_000),
    "8 MiB of zeros": (lambda n: Pair(raw(b"[" + b"0," * n + b"1]"), raw(b"[" + b"0," * n + b"2]")), 990_000),
    "8 MiB of zeros against ones": (lambda n: Pair(raw(b"[" + b"0," * n + b"1]"), raw(b"[" + b"1," * n + b"2]")), 990_000),
    "8 MiB of quotes": (lambda n: Pair(raw(b'["' + b'\\"' * n + b'"]'), raw(b'["' + b'\\"' * n + b'", 1]')), 4_000_000),
    "8 MiB of colons": (lambda n: Pair(raw(b'["' + b":" * n + b'"]'), raw(b'["' + b":" * n + b'", 1]')), 8_000_000),
    "a name 100,000 times": (
        lambda n: Pair(raw(b"{" + b'"a":1,' * n + b'"a":1}'), raw(b"{" + b'"a":1,' * n + b'"a":2}')),
        100_000,
    ),
}
