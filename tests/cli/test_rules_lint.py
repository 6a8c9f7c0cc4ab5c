"""`paritygate rules lint` and `rules schema`: what they look at, what they print, how they end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from differ.facts import Atom
from store.database import open_store
from store.records import Batch, DifferenceText, Ended, Example
from traffic.message import Request, Response
from traffic.outcome import Ending

ROOT = Path(__file__).parents[2]
ACCOUNT = "reason: x, owner: y, permanent: true, decision: ADR-1"
ROUTE = "GET /api/items/{id}/"


def rule_file(*rules: str) -> str:
    return "version: 1\nrules:\n" + "".join(f"  - {{{rule}, {ACCOUNT}}}\n" for rule in rules)


@pytest.fixture
def linted(folder: Path, run):  # type: ignore[no-untyped-def]
    """Lints one file of rules beside a configuration with one route: exit code, stdout, stderr."""
    config = folder / "paritygate.toml"
    config.write_text(config.read_text() + f'\n[[route]]\nmatch = "{ROUTE}"\n')
    (folder / "rules/starter.yaml").unlink()

    def lint(*rules: str, options: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
        (folder / "rules/own.yaml").write_text(rule_file(*rules))
        return run("rules", "lint", "--config", str(config), *options)

    return lint


def answer(body: object, kind: bytes = b"application/json") -> Response:
    return Response(200, ((b"Content-Type", kind), (b"Content-Encoding", b"gzip")), json.dumps(body).encode())


def keep(folder: Path, *pairs: tuple[object, object]) -> None:
    """Stores pairs of answers as examples of a mismatch. Bodies are stored decoded, whatever their headers say."""

    async def write() -> None:
        store = open_store(f"sqlite+aiosqlite:///{folder / 'paritygate.db'}")
        try:
            await store.upgrade()
            for at, (ours, theirs) in enumerate(pairs):
                atom = Atom(ROUTE, "200/200", "body", f"$.x{at}", "value")
                request = Request("GET", b"/api/items/1/")
                difference = DifferenceText(atom, "1", "2", atom.path)
                example = Example(
                    f"e{at}", ROUTE, 100.0 + at, "primary", "c", request, answer(ours), answer(theirs), (difference,)
                )
                end = Ended("boot", ROUTE, 100.0, Ending.COMPARED, "mismatch", differences=(difference,), example=example)
                await store.write(Batch(ended=(end,)), 5)
        finally:
            await store.close()

    asyncio.run(write())


def test_clean_rules_end_with_0_and_say_what_was_not_looked_at(linted) -> None:  # type: ignore[no-untyped-def]
    code, out, err = linted("id: r, path: $.a, action: type_only")

    assert (code, out.strip()) == (0, "1 rules, 0 presets, 0 warnings")
    assert "stored answers were not looked at: " in err
    assert "there is no store" in err


def test_linting_makes_no_store(linted, folder: Path) -> None:  # type: ignore[no-untyped-def]
    linted("id: r, path: $.a, action: type_only")

    assert not (folder / "paritygate.db").exists()


def test_a_warning_ends_with_1_and_names_file_line_rule_and_kind(linted) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = linted("id: q, path: $.b, action: type_only", "id: r, path: $.a, action: ignore")

    assert code == 1
    assert out.startswith("rules/own.yaml:4: r: ignore needs 'why_not'")
    assert "(why_not)" in out
    assert "2 rules, 0 presets, 1 warnings" in out


def test_notes_alone_end_with_0(linted) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = linted("id: r, path: '$.a[-1]', action: type_only")

    assert code == 0
    assert "(note: dynamic_path)" in out


def test_an_error_ends_with_2_and_is_json_too_when_asked(linted) -> None:  # type: ignore[no-untyped-def]
    code, out, err = linted("id: r, path: $.a, action: ignor", options=("--json",))

    assert code == 2
    assert json.loads(out)["errors"][0].startswith("rules/own.yaml:3: rules[0].action: got 'ignor'; did you mean 'ignore'?")
    assert "did you mean 'ignore'?" in err


def test_json_has_each_remark_with_its_parts(linted) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = linted(
        "id: r, path: $.a, action: ignore, why_not: x", "id: s, path: $.a.b, action: type_only", options=("--json",)
    )
    document = json.loads(out)

    assert code == 1
    assert {key: document[key] for key in ("rules", "presets")} == {"rules": 2, "presets": 0}
    (remark,) = document["remarks"]
    assert {key: remark[key] for key in ("kind", "level", "place", "rule")} == {
        "kind": "superfluous",
        "level": "warning",
        "place": "rules/own.yaml:4",
        "rule": "s",
    }
    assert document["warnings"] == [f"{remark['place']}: s: {remark['text']}"]
    assert document["checked"] == {"routes": 1, "stored_bodies": 0, "stored_pairs": 0}


def test_routes_are_those_of_the_configuration(linted) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = linted("id: r, path: $.a, action: type_only, scope: {route: '/api/itms/{id}/'}")

    assert code == 1
    assert "the route '/api/itms/{}/' is not known; did you mean '/api/items/{}/'?" in out


def test_routes_that_cannot_all_be_had_are_not_checked(linted, folder: Path) -> None:  # type: ignore[no-untyped-def]
    config = folder / "paritygate.toml"
    config.write_text(config.read_text().replace("openapi = []", 'openapi = ["http://127.0.0.1:9/openapi.json"]'))

    code, out, _ = linted("id: r, path: $.a, action: type_only, scope: {route: /elsewhere/}", options=("--json",))

    assert code == 0
    assert json.loads(out)["checked"]["routes"] is None
    assert "scopes were not checked against the routes: [routes] openapi" in json.loads(out)["notes"][1]


def test_routes_that_cannot_be_read_are_said_and_no_error(linted, folder: Path) -> None:  # type: ignore[no-untyped-def]
    config = folder / "paritygate.toml"
    config.write_text(config.read_text().replace("openapi = []", 'openapi = ["nowhere.json"]'))

    code, _, err = linted("id: r, path: $.a, action: type_only, scope: {route: /elsewhere/}")

    assert code == 0
    assert "scopes were not checked against the routes: [routes]: " in err


def test_paths_are_looked_for_in_the_stored_bodies(linted, folder: Path) -> None:  # type: ignore[no-untyped-def]
    keep(folder, ({"updated_at": "x"}, {"updated_at": "y"}))

    code, out, err = linted(
        "id: alive, path: $.updated_at, action: type_only", "id: dead, path: $.updatet_at, action: type_only"
    )

    assert code == 1
    assert "rules/own.yaml:4: dead: none of 2 stored bodies in its scope has $.updatet_at" in out
    assert "did you mean 'updated_at'?" in out
    assert "alive" not in out
    assert "not looked at" not in err


def test_an_ignore_is_told_what_would_do_for_the_stored_pairs(linted, folder: Path) -> None:  # type: ignore[no-untyped-def]
    at = "2026-11-21T10:00:00"
    keep(folder, *[({"t": f"{at}.{n}Z", "x": n}, {"t": f"{at}.{n}0001Z", "x": n + 1}) for n in range(4)])

    code, out, _ = linted("id: r, path: $.t, action: ignore, why_not: clocks", options=("--json",))

    (remark,) = json.loads(out)["remarks"]
    assert code == 1
    assert remark["kind"] == "narrower"
    assert remark["text"].startswith(
        "in all 4 stored answers in which it hides something, 'action: normalise, as: datetime, truncate: ms'"
    )
    assert json.loads(out)["checked"] == {"routes": 1, "stored_bodies": 8, "stored_pairs": 4}


def test_a_store_that_is_no_store_is_said_and_no_error(linted, folder: Path) -> None:  # type: ignore[no-untyped-def]
    (folder / "paritygate.db").write_bytes(b"not a database" * 1_000)

    code, _, err = linted("id: r, path: $.a, action: type_only")

    assert code == 0
    assert "stored answers were not looked at" in err
    assert "Traceback" not in err


def test_named_files_need_no_configuration(tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text(rule_file("id: r, path: $.a, action: type_only, scope: {route: /x/}"))

    code, out, err = run("rules", "lint", "r.yaml")

    assert code == 0
    assert "1 rules" in out
    assert "routes and stored answers were not looked at" in err


def test_named_files_are_checked_against_a_named_configuration(linted, folder: Path, tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    named = tmp_path / "named.yaml"
    named.write_text(rule_file("id: r, path: $.a, action: type_only, scope: {route: /x/}"))

    assert run("rules", "lint", str(named), "--config", str(folder / "paritygate.toml"))[0] == 1
    assert run("rules", "lint", str(named), "--config", str(tmp_path / "none.toml"))[0] == 2


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"version: 1\n# \xe9", "f.yaml:2: byte 0xe9 is not UTF-8: save the file as UTF-8"),
        ("version: 1".encode("utf-16"), "is not UTF-8 (it looks like UTF-16)"),
        (b"version: 1\0", "f.yaml:1: not valid YAML: the character U+0000 may not stand in it"),
        (b"#" * (5 * 1024 * 1024), "that is no rule file"),
        (b"#" * (2 * 1024 * 1024), "2097152 characters, at most 1048576 are read: split the file"),
        (None, "the rule file cannot be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_read_end_with_2_and_a_sentence(tmp_path: Path, run, raw: bytes | None, said: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "f.yaml"
    if raw is not None:
        path.write_bytes(raw)

    code, out, err = run("rules", "lint", str(path))

    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_folder_is_no_rule_file(tmp_path: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("rules", "lint", str(tmp_path))

    assert code == 2
    assert "cannot be read: Is a directory" in err


def test_the_schema_is_printed_as_it_is_committed(run) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("rules", "schema")

    assert (code, err) == (0, "")
    assert out == (ROOT / "docs/rules.schema.json").read_text(encoding="utf-8")


def test_the_demo_and_the_starter_lint_clean(run) -> None:  # type: ignore[no-untyped-def]
    for name in ("demo/rules/demo.yaml", "cli/starter/rules.yaml"):
        assert run("rules", "lint", str(ROOT / name))[0] == 0
