"""Which of the documented defects this process shows: all of them, less those named in `PARITYGATE_DEMO_FIX`."""

from __future__ import annotations

import hashlib
import os

from demo.truth import FIX_VARIABLE, planted_defects

PLANTED = planted_defects(os.environ.get(FIX_VARIABLE, ""))

# Another set of defects is another program: it gets another build name, as a deployment would.
BUILD = "shop-" + hashlib.sha256(",".join(sorted(PLANTED)).encode()).hexdigest()[:8]


def planted(defect_id: str) -> bool:
    """Whether the port answers wrongly in the way the defect of this id describes."""
    return defect_id in PLANTED
