"""The gate's policy of each route, as configured."""

from __future__ import annotations

from gate.policies import Policies, policies_for
from settings.load import SettingsError
from settings.model import Settings


def policies_of(settings: Settings) -> Policies:
    """The policies of all routes. Raises SettingsError that names the file and the key."""
    gate = settings.gate
    overrides = gate.model_dump(exclude={"profile", "parity", "alpha"})
    try:
        return policies_for(gate.profile, gate.parity, gate.alpha, overrides)
    except ValueError as error:
        raise SettingsError(f"{settings.source or 'configuration'}: {error}") from error
