"""How long an end may take. Together they stay below the patience of the supervisor, and of whoever else stops a service."""

from __future__ import annotations

DRAIN_S = 9.0
"""Time for the requests under way."""
FLUSH_S = 3.0
"""Time for handing over what waits for the shadow."""
WORKER_S = DRAIN_S + FLUSH_S + 3.5
"""A worker that has not ended by then is ended by force."""
