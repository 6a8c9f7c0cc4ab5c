"""`routes import-django`: Django itself names the routes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from settings.load import load_settings
from settings.routes import load_route_table

ROOT = Path(__file__).parents[2]


def test_django_urlconf_becomes_a_file_that_names_the_routes(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    output = folder / "routes-django.json"
    arguments = ("--settings", "demo.django_shop.settings", "--python", sys.executable, "--project", str(ROOT))
    code, _, err = run("routes", "import-django", *arguments, "--output", str(output))
    assert code == 0, err

    config = folder / "paritygate.toml"
    config.write_text(config.read_text().replace("openapi = []", 'openapi = []\nurlconf = ["routes-django.json"]'))
    table = load_route_table(load_settings(config))

    entries = json.loads(output.read_text())
    by_route = {entry["route"]: entry["methods"] for entry in entries}
    assert "GET" in by_route["api/products/"]
    assert "POST" in by_route["api/cart/items/"]
    assert table.match("GET", b"/api/products/7/").route is not None
    assert table.match("GET", b"/nowhere/").route is None


def test_wrong_settings_module_is_named_with_djangos_own_reason(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run("routes", "import-django", "--settings", "no.such.settings", "--output", str(folder / "x.json"))
    assert code == 2
    assert "no.such.settings" in err
    assert not (folder / "x.json").exists()


def test_interpreter_that_is_not_there_is_named(folder: Path, run) -> None:  # type: ignore[no-untyped-def]
    code, _, err = run(
        "routes", "import-django", "--settings", "x", "--python", "/no/python", "--output", str(folder / "x.json")
    )
    assert code == 2
    assert "/no/python" in err
