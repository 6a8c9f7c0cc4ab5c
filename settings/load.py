"""Reads `paritygate.toml`. Whatever is wrong is one SettingsError that names the file, section, key, value and remedy."""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource
from pydantic_settings.exceptions import SettingsError as SettingsErrorOfPydantic

from settings.model import Settings

FILE_NAME = "paritygate.toml"


class SettingsError(ValueError):
    """The configuration cannot be used; the text says where and what to do. Exit code 2."""


def load_settings(config: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings of `config`, else of `./paritygate.toml`, else the defaults; the environment and then `overrides` win.

    `overrides` holds dotted keys, e.g. `{"proxy.listen": "127.0.0.1:9000"}`. Raises SettingsError.
    """
    path = config if config is not None else Path(os.environ.get("PARITYGATE_CONFIG", FILE_NAME))
    document: dict[str, Any] = {}
    source: Path | None = None
    if path.is_file():
        source = path.absolute()
        document = _read(path)
    elif path.is_dir():
        raise SettingsError(f"{path}: is a folder; name the file in it, e.g. {path / FILE_NAME}")
    elif config is not None or "PARITYGATE_CONFIG" in os.environ:
        raise SettingsError(f"{path}: there is no such file; `paritygate init` writes one")
    _check_environment()
    try:
        _merge(document, EnvSettingsSource(Settings)())
        for dotted, value in (overrides or {}).items():
            _set(document, dotted.split("."), value)
        made = Settings(**document)
    except SettingsErrorOfPydantic as error:
        raise SettingsError(f"environment: {error}") from error
    except ValidationError as error:
        raise SettingsError(_explain(error, str(path) if source else "configuration")) from error
    return made.located(source.parent if source else Path.cwd(), source)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error


def _merge(document: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Lays `over` on `document`, table by table."""
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(document.get(key), dict):
            _merge(document[key], value)
        else:
            document[key] = value


def _set(document: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        document = document.setdefault(key, {})
    document[keys[-1]] = value


def _check_environment() -> None:
    """A misspelt environment name would be ignored silently: it is an error instead."""
    known = {f"PARITYGATE_{name.upper()}" for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith("PARITYGATE_") and "__" in name and name.partition("__")[0].upper() not in known:
            near = difflib.get_close_matches(name.partition("__")[0].upper(), known, 1, 0.5)
            hint = f"; did you mean {near[0]}__...?" if near else ""
            raise SettingsError(f"environment: {name} is no setting of Paritygate{hint}")


def _explain(error: ValidationError, file: str) -> str:
    lines = []
    for problem in error.errors():
        place = file
        where = [str(part) for part in problem["loc"]]
        section, key = ".".join(where[:-1]), where[-1] if where else ""
        named = f"[{section}] {key}" if section else (f"[{key}]" if key else "")
        variable = f"PARITYGATE_{'__'.join(where).upper()}"
        if variable in os.environ:
            place, named = "environment", variable
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            allowed = _allowed(where[:-1])
            near = difflib.get_close_matches(key, allowed, 1, 0.5)
            hint = f" did you mean '{near[0]}'?" if near else ""
            text = f"unknown key;{hint} allowed: {', '.join(allowed)}"
        elif not isinstance(problem.get("input"), dict | BaseModel):
            text = f"{text}, got {json.dumps(problem.get('input'), default=str)[:120]}"
        lines.append(f"{place}: {named}: {text}" if named else f"{place}: {text}")
    return "\n".join(lines)


def _allowed(sections: list[str]) -> list[str]:
    model: Any = Settings
    for section in sections:
        if section.isdigit():
            continue
        fields = model.model_fields
        if section not in fields:
            return []
        annotation = fields[section].annotation
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = arguments[0] if arguments else annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return sorted(field.alias or name for name, field in model.model_fields.items())
