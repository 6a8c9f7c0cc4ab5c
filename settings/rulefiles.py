"""Reads the configured rule files from disk and hands their text to the rules room."""

from __future__ import annotations

from datetime import date

from rules.load import decode_rules, load_rules
from rules.model import RuleSet
from settings.load import SettingsError
from settings.model import Settings

MAX_RULE_FILE = 1024 * 1024


def read_rules(settings: Settings, today: date) -> RuleSet:
    """The rule set of `[rules] files`. Raises SettingsError for unreadable files and rules.errors.RuleError for bad rules."""
    texts: list[tuple[str, str]] = []
    for pattern in settings.rules.files:
        found = sorted(settings.base.glob(pattern)) if not pattern.startswith("/") else [settings.path(pattern)]
        if not found and not any(sign in pattern for sign in "*?["):
            raise SettingsError(f"[rules] files: {pattern}: there is no such file in {settings.base}")
        for path in found:
            try:
                if path.stat().st_size > MAX_RULE_FILE:
                    raise SettingsError(f"{path}: a rule file may have {MAX_RULE_FILE} bytes at most")
                name = str(path.relative_to(settings.base) if path.is_relative_to(settings.base) else path)
                texts.append((name, decode_rules(name, path.read_bytes())))
            except OSError as error:
                raise SettingsError(f"{path}: the rule file cannot be read: {error}") from error
    return load_rules(texts, today)
