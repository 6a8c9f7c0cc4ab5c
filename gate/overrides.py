"""What the settings' `[gate]` table changes of a profile, each key checked and named when it makes no sense."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from gate.policy import Policy, profile_policy
from gate.policy import checked as consistent

Section = Mapping[str, object]


def policy_for(profile: str, parity: float, alpha: float, overrides: Mapping[str, object]) -> Policy:
    """The policy of `profile` for tier B's `parity` and total `alpha`, without tiers and routes (gate.policies has those).

    `overrides` is the settings' `[gate]` table as nested dicts; None anywhere means the profile's own value. Raises ValueError.
    `strict` asks one tier more than `parity` (a tenth of its mismatch rate). `demo` asks .95 where `parity` was left at .999.
    """
    return checked(overridden(profile_policy(profile, parity, alpha), overrides))


def overridden(base: Policy, overrides: Mapping[str, object], place: str = "gate") -> Policy:
    """`base` with the tables of `overrides` laid over it. Raises ValueError with the key's name below `place`."""
    made = base
    for section, value in overrides.items():
        if section in _SECTIONS and value is not None:
            if not isinstance(value, Mapping):
                raise ValueError(f"{place}.{section} = {value!r} is no table")
            try:
                made = _SECTIONS[section](made, {key: entry for key, entry in value.items() if entry is not None})
            except ValueError as error:
                raise ValueError(f"{place}{str(error).removeprefix('gate')}") from error
    return made


def checked(policy: Policy, place: str = "gate") -> Policy:
    """The policy itself. Raises ValueError where its thresholds make no sense together."""
    try:
        return consistent(policy)
    except ValueError as error:
        raise ValueError(f"{place}{str(error).removeprefix('gate')}") from error


def _number(section: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(f"gate.{section}.{key} = {value!r} is not a number of 0 or more")
    return float(value)


def _share(section: str, key: str, value: object) -> float:
    number = _number(section, key, value)
    if number > 1.0:
        raise ValueError(f"gate.{section}.{key} = {value!r} is a share: give 0 to 1, e.g. 0.05 for 5 %")
    return number


def _inner_share(section: str, key: str, value: object) -> float:
    number = _share(section, key, value)
    if number in (0.0, 1.0):
        raise ValueError(f"gate.{section}.{key} = {value!r} must lie between 0 and 1 (both excluded)")
    return number


def _whole(section: str, key: str, value: object) -> int:
    number = _number(section, key, value)
    if number != int(number):
        raise ValueError(f"gate.{section}.{key} = {value!r} is no whole number")
    return int(number)


def _flag(section: str, key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"gate.{section}.{key} = {value!r} is neither true nor false")
    return value


def _numbers(section: str, key: str, value: object) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"gate.{section}.{key} = {value!r} is no list of numbers")
    return tuple(_number(section, key, entry) for entry in value)


Reader = Callable[[str, str, object], object]
_PLAIN: dict[str, dict[str, tuple[str, Reader]]] = {
    "unit": {
        "window": ("unit_window_s", _number),
        "max_open": ("unit_max_open", _whole),
        "max_share_client": ("max_share_client", _share),
        "max_share_request": ("max_share_request", _share),
    },
    "span": {"min": ("span_s", _number), "profile": ("week_share", _share)},
    "coverage": {
        "required": ("coverage_required", _flag),
        "unseen": ("unseen", _inner_share),
        "delta": ("coverage_delta", _inner_share),
        "shape_share": ("shape_share", _share),
        "per_shape": ("per_shape", _whole),
        "class_share": ("class_share", _share),
        "per_status_class": ("per_status_class", _whole),
        "covered_traffic": ("covered_traffic", _share),
        "max_shapes": ("max_shapes", _whole),
    },
    "approvals": {"count": ("approvals", _whole)},
    "canary": {"step_p0": ("step_p0", _inner_share), "step_clean": ("step_clean", _whole)},
}
"""The policy's name of each key that stands for one threshold."""


def _plain(base: Policy, name: str, section: Section) -> Policy:
    given = {field: read(name, key, section[key]) for key, (field, read) in _PLAIN[name].items() if key in section}
    return replace(base, **given)  # type: ignore[arg-type]  # each reader gives what its field holds


def _unit(base: Policy, section: Section) -> Policy:
    made = _plain(base, "unit", section)
    # A unit is evidence only once its window is over, so the last one is always up to two windows old.
    return replace(made, fresh_s=max(made.fresh_s, 3 * made.unit_window_s))


def _span(base: Policy, section: Section) -> Policy:
    made = _plain(base, "span", section)
    return replace(made, ttl_s=max(made.ttl_s, 2 * made.span_s))


def _latency(base: Policy, section: Section) -> Policy:
    """A margin is given as `[ratio, slack]`, slack in seconds as the settings parse durations."""
    margins = []
    for margin in base.latency:
        given = _numbers("latency", margin.tau, section.get(margin.tau, (margin.ratio, margin.slack_ms / 1000.0)))
        if len(given) != 2:
            raise ValueError(f"gate.latency.{margin.tau} = {list(given)} must be a ratio and a slack, e.g. [1.10, '5ms']")
        margins.append(replace(margin, ratio=given[0], slack_ms=given[1] * 1000.0))
    return replace(
        base,
        latency=tuple(margins),
        latency_calibrate=int(_number("latency", "calibrate", section.get("calibrate", base.latency_calibrate))),
        latency_required=_flag("latency", "required", section.get("required", base.latency_required)),
    )


def _canary(base: Policy, section: Section) -> Policy:
    made = _plain(base, "canary", section)
    steps = _numbers("canary", "steps", section.get("steps", base.steps))
    dwell = base.dwell_s if len(base.dwell_s) == len(steps) else tuple(_dwell(base, i) for i in range(len(steps)))
    return replace(made, steps=steps, dwell_s=_numbers("canary", "dwell", section.get("dwell", dwell)))


def _dwell(base: Policy, index: int) -> float:
    """A step the profile knows nothing of lasts as long as the profile's last one."""
    return base.dwell_s[min(index, len(base.dwell_s) - 1)] if base.dwell_s else 0.0


_SECTIONS: dict[str, Callable[[Policy, Section], Policy]] = {
    "unit": _unit,
    "span": _span,
    "latency": _latency,
    "coverage": lambda base, section: _plain(base, "coverage", section),
    "approvals": lambda base, section: _plain(base, "approvals", section),
    "canary": _canary,
}
