"""Tables of figures as the benchmarks of the gate print them; they are Markdown, for the docs."""

from __future__ import annotations

from collections.abc import Sequence


def table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints one, aligned."""
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names))]
    print(f"\n{title}\n", flush=True)
    for row in (names, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |", flush=True)
