"""The command line: exit codes, JSON on stdout, messages on stderr, and bad input that ends in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.reference import PAGES

ROOT = Path(__file__).parents[2]


def config(folder: Path) -> tuple[str, str]:
    return "--config", str(folder / "paritygate.toml")


def test_init_writes_what_the_other_commands_accept(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    assert (folder / "paritygate.key").stat().st_mode & 0o777 == 0o600
    code, out, _ = run("rules", "lint", *config(folder))
    assert (code, "1 presets, 0 warnings" in out) == (0, True)


def test_init_overwrites_nothing(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    before = (folder / "paritygate.toml").read_text()
    code, _, err = run("init", str(folder), "--primary", "http://elsewhere:1")
    assert (code, (folder / "paritygate.toml").read_text()) == (0, before)
    assert "is there already" in err


@pytest.mark.parametrize(
    ("arguments", "code", "document"),
    [
        (("--n", "71", "--k", "0", "--parity", "0.95"), 0, {"verdict": "pass", "clean_needed": 0}),
        (("--n", "3641", "--k", "0"), 3, {"verdict": "undecided", "clean_needed": 1}),
        (("--n", "1000", "--k", "1000"), 1, {"verdict": "fail"}),
        (("--n", "0", "--k", "0"), 3, {"log_e": 0.0, "lower": 0.0, "upper": 1.0}),
    ],
)
def test_gate_calc_prints_the_figures_and_exits_by_the_verdict(run, arguments, code, document) -> None:  # type: ignore[no-untyped-def]
    got, out, _ = run("gate", "calc", *arguments, "--json")
    printed = json.loads(out)
    assert got == code
    assert set(printed) == {"n", "k", "parity", "alpha", "log_e", "verdict", "lower", "upper", "clean_needed"}
    assert printed.items() >= document.items()


@pytest.mark.parametrize(
    "arguments",
    [("--n", "1", "--k", "2"), ("--n", "-1", "--k", "0"), ("--n", "1", "--k", "0", "--parity", "1"), ("--n", "x", "--k", "0")],
)
def test_gate_calc_refuses_impossible_input_with_exit_2(run, arguments) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run("gate", "calc", *arguments)
    assert (code, out) == (2, "")
    assert err
    assert "Traceback" not in err


def test_empty_store_is_inconclusive_and_never_a_pass(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    assert run("store", "upgrade", *config(folder))[0] == 0
    assert run("routes", *config(folder))[0] == 3
    assert run("gate", "plan", *config(folder))[0] == 0
    assert run("mismatches", *config(folder))[0] == 0
    code, out, _ = run("status", "--json", *config(folder))
    assert code == 0
    assert json.loads(out)["total"]["seen"] == 0


def test_promotion_without_evidence_is_refused_with_exit_1(storeful: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("cutover", "promote", "GET /api/search/{id}/", "--actor", "ada", *config(storeful))
    assert code == 1
    assert "refused" in err


@pytest.mark.parametrize(
    ("change", "arguments", "code", "sentence"),
    [
        (("[mirror]", "[mirrror]"), ("routes",), 2, "did you mean 'mirror'?"),
        (('sample = 1.0 ', 'sample = 7.0 '), ("routes",), 2, "[mirror] sample: Input should be less than or equal to 1, got 7.0"),
        (("paritygate.db", "/nowhere/at/all/x.db"), ("routes",), 4, "/nowhere/at/all"),
        (("sqlite+aiosqlite:///paritygate.db", "postgresql+asyncpg://u:secret-word@127.0.0.1:9/x"), ("routes",), 4, "127.0.0.1:9"),
        (("rules/*.yaml", "rules/none.yaml"), ("rules", "lint"), 2, "rules/none.yaml: there is no such file"),
        (("paritygate.key", "other.key"), ("cutover", "promote", "GET /x/"), 2, "`paritygate init` makes one"),
    ],
)  # fmt: skip
def test_bad_input_ends_in_one_sentence_and_its_exit_code(folder: Path, run, change, arguments, code, sentence) -> None:  # type: ignore[no-untyped-def]
    path = folder / "paritygate.toml"
    text = path.read_text()
    if change[0] == "paritygate.key":
        (folder / "paritygate.key").unlink()
    path.write_text(text.replace(*change))

    got, _, err = run(*arguments, *config(folder))

    assert got == code, err
    assert sentence in err
    assert "Traceback" not in err
    assert "secret-word" not in err


def test_bad_rule_file_names_file_line_and_key(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    (folder / "rules" / "bad.yaml").write_text("version: 1\nrules:\n  - id: x\n    action: ignroe\n    path: $.a\n")
    code, _, err = run("rules", "lint", *config(folder))
    assert code == 2
    assert "rules/bad.yaml:4" in err
    assert "ignore" in err


def test_unknown_example_names_the_way_to_find_one(storeful: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("show", "nothing", *config(storeful))
    assert code == 2
    assert "`paritygate mismatches` lists them" in err


def test_doctor_names_unreachable_backends_and_exits_4(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    path = folder / "paritygate.toml"
    path.write_text(path.read_text().replace(":8001", ":9").replace(":8002", ":19"))
    code, out, _ = run("doctor", *config(folder))
    assert code == 4
    assert "http://127.0.0.1:9 cannot be reached" in out


def test_demo_with_an_unknown_fix_names_the_known_ones(run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("demo", "--once", "--fix", "renamed-feild")
    assert code == 2
    assert "renamed-field" in err


def test_port_in_use_is_one_sentence_with_a_remedy(folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        path = folder / "paritygate.toml"
        path.write_text(path.read_text().replace("127.0.0.1:8080", f"127.0.0.1:{taken.getsockname()[1]}"))
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", "proxy", *config(folder)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "another process listens there already" in done.stderr
    assert "set proxy.listen to a free port" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_command_of_the_reference() -> None:
    assert CliRunner().invoke(app, ["--help"]).exit_code == 0


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_page_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name](), "run `python -m cli.reference`"


def test_toml_of_the_starter_is_the_documented_default(folder: Path) -> None:
    from settings.load import load_settings
    from settings.model import Settings

    text = (ROOT / "cli/starter/paritygate.toml").read_text()
    (folder / "x.toml").write_text(text)
    loaded, default = load_settings(folder / "x.toml"), Settings()
    for section in ("primary", "candidate", "proxy", "mirror", "store", "gate", "dashboard"):
        assert getattr(loaded, section) == getattr(default, section), section


@pytest.fixture
def storeful(folder: Path, run) -> Path:  # type: ignore[no-untyped-def]
    """A folder with an empty store, whose configuration names one route."""
    path = folder / "paritygate.toml"
    path.write_text(path.read_text() + '\n[[route]]\nmatch = "GET /api/search/{id}/"\n')
    assert run("store", "upgrade", *config(folder))[0] == 0
    return folder


@pytest.mark.parametrize(
    "command", [("gate",), ("mismatches",), ("cutover", "rollback"), ("cutover", "freeze"), ("cutover", "promote")]
)
def test_misspelt_route_is_an_error_that_names_the_nearest(storeful: Path, run, command) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(*command, "GET /api/serach/{id}/", *config(storeful))
    assert code == 2
    assert "did you mean 'GET /api/search/{id}/'?" in err
    assert run("cutover", "log", "--json", *config(storeful))[1].count("serach") == 0


def test_parameter_names_are_no_part_of_a_route(storeful: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = run("gate", "GET /api/search/{pk}/", "--json", *config(storeful))
    assert code == 3
    assert json.loads(out)["route"] == "GET /api/search/{id}/"


def test_commands_without_a_configuration_say_so_and_write_nothing(
    tmp_path: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    code, _, err = run("gate", "plan")
    assert code == 2
    assert "`paritygate init` writes one" in err
    assert list(tmp_path.iterdir()) == []


def test_wrong_environment_value_is_blamed_on_the_environment(folder: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PARITYGATE_PROXY__LISTN", "127.0.0.1:1")
    _, _, err = run("routes", *config(folder))
    assert "environment: PARITYGATE_PROXY__LISTN: unknown key; did you mean 'listen'?" in err


def test_dashboard_port_in_use_is_one_sentence(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = folder / "paritygate.toml"
        path.write_text(path.read_text().replace("127.0.0.1:8501", address))
        code, _, err = run("dashboard", *config(folder))
    assert code == 2
    assert "set dashboard.listen to a free port" in err
