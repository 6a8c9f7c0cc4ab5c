"""Two responses in, one verdict out."""

VERSION = "4"
"""Names the meaning of a verdict: it is part of every epoch and moves when the same pair may be judged otherwise."""
