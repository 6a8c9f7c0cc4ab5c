"""Makes the helpers of this folder, and the parts that those of the fault suites have, importable by names of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / other) for other in ("faults", "shadow", "store/faults"))]
pytest.register_assert_rewrite("cutover_stage", "cutover_routes", "faults_stage")
