"""What an end costs while it waits for the store, and what is left of it when memory is spent."""

from __future__ import annotations

from dataclasses import replace

from differ.facts import Atom
from store.records import DifferenceText, Ended, Example
from traffic.message import Response

PER_DIFFERENCE = 800
"""Bytes of the objects of one difference, beside its texts."""
PER_EXAMPLE = 2_000
MAX_ATOMS = 10_000


def byte_size(ended: Ended) -> int:
    """About how many bytes the differences and the example of an end occupy; what every end has is bounded by their number."""
    return _texts_size(ended) + (example_size(ended.example) if ended.example is not None else 0)


def _texts_size(ended: Ended) -> int:
    return sum(
        PER_DIFFERENCE + len(text.primary or "") + len(text.candidate or "") + len(text.location) + len(text.atom.path)
        for text in ended.differences
    )


def example_size(example: Example) -> int:
    """About how many bytes an example occupies beside its differences' texts."""
    answers = sum(len(answer.body) for answer in (example.primary, example.candidate) if isinstance(answer, Response))
    return answers + len(example.request.body) + PER_EXAMPLE


class Slimming:
    """Makes ends small: the counts stay, and so do the atoms, of which all waiting ends share one copy each."""

    def __init__(self) -> None:
        self._shared: dict[Atom, DifferenceText] = {}

    def fit(self, ended: Ended, room: int) -> tuple[Ended, int]:
        """The end and its size: whole if it fits in `room` bytes, else without its example, else without its texts too."""
        size = byte_size(ended)
        if size <= room:
            return ended, size
        size = _texts_size(ended)
        if size <= room:
            return replace(ended, example=None), size
        return replace(ended, example=None, differences=self._atoms(ended)), 0

    def _atoms(self, ended: Ended) -> tuple[DifferenceText, ...]:
        bare = []
        for text in ended.differences:
            shared = self._shared.get(text.atom)
            if shared is None and len(self._shared) < MAX_ATOMS:
                shared = self._shared[text.atom] = DifferenceText(text.atom, None, None)
            if shared is not None:
                bare.append(shared)
        return tuple(bare)

    def forget(self) -> None:
        """Nothing waits any more."""
        self._shared.clear()
