"""What the docs show is what the code accepts."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from rules.load import load_rules
from rules.presets import NAMES

ROOT = Path(__file__).parent.parent
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_rule_file_of_the_docs_loads() -> None:
    text = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        assert load_rules([("docs/rules.md", block)], date(2026, 12, 1)).rules


def test_every_preset_is_documented() -> None:
    text = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
