"""`gate plan` and the policies of tiers and routes, as commands over a real store."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.route_policies import policies_of
from gate.units import unit_key
from settings.load import load_settings
from settings.model import Settings
from store.database import open_store
from store.records import Batch, Ended, OpeningCounts
from traffic.ledger import HANDED, SEEN_SLOT, SENT_SLOT, SERVED_PRIMARY, opening_slot
from traffic.outcome import Ending

GOOD, YOUNG, BAD, QUIET = "GET /good/{id}", "GET /young/", "GET /bad/", "GET /quiet/"
DAY_S = 86_400.0


def compared(route: str, count: int, seconds: float, ago: float = 30.0, bad: int = 0, closed: bool = True) -> list[Ended]:
    """Units of `route`, spread over `seconds` until `ago` seconds before now, the first `bad` of them mismatches."""
    end = time.time() - ago
    return [
        Ended(
            boot="boot",
            route=route,
            at=end - seconds * (count - 1 - i) / max(1, count - 1),
            ending=Ending.COMPARED,
            reason="mismatch" if i < bad else "match",
            epoch=f"epoch {route}",
            client=f"c{i}",
            unit=unit_key("2xx", f"c{i}", f"r{i}"),
            window_s=2.0 if closed else 4e9,  # ends in the year 2096, whatever the hour is now
            primary_ms=4.0,
            candidate_ms=3.0,
        )
        for i in range(count)
    ]


def fill(folder: Path, ended: list[Ended]) -> None:
    """Writes the exchanges through the store's own writer, with the openings that belong to them."""
    counts: dict[str, int] = {}
    for one in ended:
        counts[one.route] = counts.get(one.route, 0) + 1
    slot = opening_slot(SERVED_PRIMARY, HANDED)
    routes = {route: {SEEN_SLOT: n, SENT_SLOT: n, slot: n} for route, n in counts.items()}

    async def scenario() -> None:
        store = open_store(f"sqlite+aiosqlite:///{folder / 'paritygate.db'}")
        try:
            await store.upgrade()
            await store.write(Batch(ended=tuple(ended), openings=(OpeningCounts("boot", "node", routes),)), 5)
            await store.close_units(time.time())
        finally:
            await store.close()

    asyncio.run(scenario())


def configure(folder: Path, gate: str) -> tuple[str, str]:
    """The configuration of `folder` with another `[gate]` table; the option that names it."""
    path = folder / "paritygate.toml"
    path.write_text(re.sub(r"\[gate\]\n(?:[^\[\n].*\n|\n)*", f"{gate}\n", path.read_text()))
    return "--config", str(path)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with four routes: one that passes in the demo profile, a young one, a bad one, and one that has gone quiet."""
    folder = tmp_path_factory.mktemp("filled")
    bad = compared(BAD, 200, 60.0, bad=40)
    fill(folder, [*compared(GOOD, 150, 120.0), *compared(YOUNG, 30, 60.0), *bad, *compared(QUIET, 30, 60.0, ago=2 * DAY_S)])
    return folder


@pytest.fixture
def site(filled: Path, folder: Path) -> Path:
    """A folder with a configuration and a copy of that store."""
    for path in filled.glob("paritygate.db*"):
        shutil.copy(path, folder / path.name)
    return folder


def test_a_plan_says_for_each_route_what_it_needs_and_for_all_together(site: Path, run: Any) -> None:
    where = configure(site, '[gate]\nprofile = "demo"')
    code, out, err = run("gate", "plan", *where)

    assert (code, err) == (0, "")
    assert f"{GOOD}: every guard holds, it may move now" in out
    assert re.search(
        rf"{re.escape(YOUNG)}: about \d+ .* at [\d,]+ units a day, a rough figure from .*; the slowest is parity: 41", out
    )
    assert f"{BAD}: never while 20 % mismatch, less than 5 % is asked for: fix the mismatches" in out
    assert f"{QUIET}: nothing is compared, so no time can be promised; needed: 41 more units" in out
    assert "all routes: 1 of 4 routes may move now; " in out
    assert "of 2 routes nothing can be promised" in out


def test_a_plan_s_document_has_the_figures_of_the_sentences(site: Path, run: Any) -> None:
    where = configure(site, '[gate]\nprofile = "demo"')
    document = json.loads(run("gate", "plan", "--json", *where)[1])
    routes = {row["route"]: row for row in document["routes"]}

    assert set(routes) == {GOOD, YOUNG, BAD, QUIET}
    young = routes[YOUNG]
    assert (young["n"], young["units_needed"], young["exchanges_needed"], young["tier"]) == (30, 41, 41, "B")
    assert young["days"] == pytest.approx(41 / young["units_per_day"])
    assert (routes[QUIET]["days"], routes[QUIET]["units_per_day"], routes[BAD]["units_needed"]) == (None, None, None)
    assert (document["total"]["routes"], document["total"]["ready"], document["total"]["unforeseen"]) == (4, 1, 2)
    one = json.loads(run("gate", "plan", "GET /good/{pk}", "--json", *where)[1])
    assert [row["route"] for row in one["routes"]] == [GOOD]


def test_a_route_without_a_closed_unit_is_told_a_least_time(folder: Path, run: Any) -> None:
    fill(folder, compared(YOUNG, 60, 600.0, closed=False))
    code, out, _ = run("gate", "plan", YOUNG, *configure(folder, '[gate]\nprofile = "default"'))

    assert code == 0
    assert f"{YOUNG}: at least " in out
    assert "comparisons a day at the most, no unit is closed yet" in out


def test_a_configured_route_without_traffic_is_among_them(site: Path, run: Any) -> None:
    """It is what a fleet's plan would forget otherwise."""
    where = configure(site, '[gate]\nprofile = "demo"\n[[route]]\nmatch = "GET /never/"')
    document = json.loads(run("gate", "plan", "--json", *where)[1])
    never = next(row for row in document["routes"] if row["route"] == "GET /never/")

    assert (never["days"], never["n"], document["total"]["routes"], document["total"]["unforeseen"]) == (None, 0, 5, 3)
    assert never["text"].startswith("GET /never/: nothing is compared, so no time can be promised")


def test_a_plan_for_a_route_that_nobody_knows_is_an_error_with_the_nearest(site: Path, run: Any) -> None:
    code, _, err = run("gate", "plan", "GET /goood/{id}", *configure(site, '[gate]\nprofile = "demo"'))

    assert code == 2
    assert f"did you mean '{GOOD}'?" in err


def test_an_entry_for_a_route_that_nobody_knows_is_noted_with_the_nearest(site: Path, run: Any) -> None:
    where = configure(
        site, '[gate]\nprofile = "demo"\n[[gate.routes]]\nroute = "GET /yuong/"\n[[gate.routes]]\nroute = "GET /good/{x}"'
    )
    _, _, err = run("gate", "plan", *where)

    assert err == f"note: [[gate.routes]] route = 'GET /yuong/' is none of the known routes; did you mean '{YOUNG}'?\n"


def test_the_gate_judges_a_route_by_its_own_policy(site: Path, run: Any) -> None:
    """150 clean units pass at .95 and not at .99; the weight is a share of alpha."""
    where = configure(site, '[gate]\nprofile = "demo"')
    assert run("gate", GOOD, *where)[0] == 0
    where = configure(
        site, '[gate]\nprofile = "demo"\nreserve = 0.5\n[[gate.routes]]\nroute = "GET /good/{pk}"\nparity = 0.99\nweight = 0.5'
    )
    code, out, _ = run("gate", GOOD, "--json", *where)
    verdict = json.loads(out)

    assert (code, verdict["verdict"], verdict["parity"], verdict["alpha"]) == (3, "undecided", 0.99, 0.025)


def test_each_verdict_has_the_exit_code_that_the_documentation_gives_it(site: Path, run: Any) -> None:
    """0 pass, 1 fail, 3 undecided, 2 usage, 4 no store: CI goes by nothing else."""
    where = configure(site, '[gate]\nprofile = "demo"')
    codes = {name: run("gate", route, *where)[0] for name, route in (("pass", GOOD), ("fail", BAD), ("undecided", YOUNG))}
    codes["wrong"] = run("gate", "GET /nowhere", *where)[0]
    for path in site.glob("paritygate.db*"):
        path.unlink()
    codes["reached"] = run("gate", GOOD, *where)[0]
    text = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d+) \| (.*?) \|", text, re.MULTILINE))

    assert codes == {"pass": 0, "fail": 1, "undecided": 3, "wrong": 2, "reached": 4}
    assert {name: name in rows[str(code)] for name, code in codes.items()} == dict.fromkeys(codes, True)


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        ("[gate.tiers]\nD = 0.9", "paritygate.toml: [gate.tiers] D: unknown key; allowed: A, B, C"),
        ("[gate.tiers]\nA = 1.5", "[gate.tiers.A] parity: Input should be less than 1, got 1.5"),
        ("[gate.tiers.A]\napproval = {count = 3}", "[gate.tiers.A] approval: unknown key; did you mean 'approvals'?"),
        ('[[gate.routes]]\nroute = "GET /x"\nteir = "A"', "[gate.routes.0] teir: unknown key; did you mean 'tier'?"),
        ('[[gate.routes]]\nroute = "GET /x"\ntier = "a"', "[gate.routes.0] tier: Input should be 'A', 'B' or 'C', got \"a\""),
        ('[[gate.routes]]\nroute = "GTE /x"', "[gate.routes.0] route: 'GTE /x': the method must be one of DELETE, GET"),
        (
            '[[gate.routes]]\nroute = "GET /x"\nweight = 0.3',
            "[gate]: gate.routes: the weights add up to 0.3, and gate.reserve = 1 is",
        ),
    ],
)
def test_a_mistake_in_a_tier_or_route_names_file_section_key_and_remedy(
    folder: Path, run: Any, gate: str, sentence: str
) -> None:
    code, _, err = run("gate", "plan", *configure(folder, gate))

    assert code == 2
    assert sentence in err


def test_the_configuration_in_the_documentation_is_one(folder: Path) -> None:
    """And means what the text beside it says."""
    text = (Path(__file__).parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    settings = Settings(**tomllib.loads(block))
    policies = policies_of(settings)
    orders, search, other = (policies.of(route) for route in ("POST /api/orders/", "GET /api/search/{x}/", "GET /"))

    assert (orders.p0, orders.approvals, orders.steps, orders.dwell_s) == (0.9999, 3, (0.01, 0.10), (7_200, DAY_S))
    assert (orders.alpha, search.alpha, other.alpha) == pytest.approx((0.005, 0.01, 0.035))
    assert (search.p0, search.per_shape, search.approvals) == (0.999, 30, 1)
    assert load_settings(folder / "paritygate.toml").gate.routes == ()


@pytest.mark.parametrize("token", ["a-token-that-nobody-guesses-0123", None])
def test_the_gate_s_token_is_printed_and_is_not_the_admin_token(folder: Path, run: Any, token: str | None) -> None:
    path = folder / "paritygate.toml"
    if token is not None:
        (folder / "admin.token").write_text(token)
        (folder / "admin.token").chmod(0o600)
        path.write_text(path.read_text().replace("[proxy]\n", '[proxy]\nadmin_token_file = "admin.token"\n'))
    code, out, err = run("gate", "token", "--config", str(path))

    if token is None:
        assert (code, out) == (2, "")
        assert "proxy.admin_token_file is not set" in err
    else:
        assert (code, len(out.strip()), token in out) == (0, 64, False)
