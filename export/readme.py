"""The page that is written beside exported tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from export.requests import header_pairs
from rules.model import RuleSet
from store.records import Example

_TEXT = """# Regression tests exported by Paritygate

Each test repeats one recorded request and compares the answer with the primary backend's. It failed on the candidate that was
recorded and passes once the candidate answers alike. Needs `pytest` and `httpx`, nothing else; Python 3.11 or newer.

    PARITYGATE_APP=shop.main:app pytest .                      # the ASGI application, in this process
    PARITYGATE_BASE_URL=http://127.0.0.1:8002 pytest .         # or a server that runs already

| variable | meaning |
|---|---|
| `PARITYGATE_APP` | `module:attribute` of the application; its lifespan is run around every request |
| `PARITYGATE_BASE_URL` | a server instead of an application; only this machine's unless `PARITYGATE_ALLOW_HOST` names its host |
"""

_AFTER = """
The data behind the candidate has to be the data the requests were recorded with: an item that is not there answers 404.

Files: `test_<route>_<hash>.py` has one test per request; `cases/` holds the request, what is expected and the bodies.
`must` in a case are the places that differed, `skip` the places that a rule in force tolerates, `relations` the rules that accept
another spelling. Secrets were replaced by placeholders when the traffic was recorded and are not in these files. Exporting the same
examples under the same rules again gives the same bytes.
"""


def readme(examples: Sequence[Example], secrets: Mapping[str, str], rules: RuleSet) -> bytes:
    """The page, with one line for each secret that the tests want from the environment."""
    lines = []
    for token, name in secrets.items():
        places = sorted({place for example in examples for place in _places(example, token)})
        shown = "".join(char if " " <= char <= "~" and char not in "|`<>[]" else "?" for char in ", ".join(places))
        lines.append(f"| `{name}` | the secret in: {shown[:200]}; without it that header or cookie is left out |")
    text = _TEXT + "".join(f"{line}\n" for line in lines) + _AFTER
    return (text + f"\nRules: `{rules.digest[:16]}`.\n").encode("ascii", "replace")


def _places(example: Example, token: str) -> list[str]:
    places = [f"header {name}" for name, value in header_pairs(example.request) if token in value]
    if token.encode("ascii") in example.request.target:
        places.append("the query")
    if token.encode("ascii") in example.request.body:
        places.append("the body")
    return places
