"""Pairs the elements of two lists so that as many as possible fit, whatever rules say which of them do.

Elements that are the same are one class with a count, so a long list of few values costs no more than a short one. The largest
assignment of classes is a maximum flow, found by augmenting paths (Ford and Fulkerson 1956).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence

Pairs = dict[int, int]


def classes(items: Sequence[int], key: Callable[[int], Hashable], most: int) -> list[list[int]] | None:
    """The items in groups of equal keys, in the order of their first ones; None for more than `most` groups."""
    found: dict[Hashable, list[int]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
        if len(found) > most:
            return None
    return list(found.values())


def matched(ones: list[list[int]], others: list[list[int]], fits: Callable[[int, int], bool]) -> Pairs:
    """As many pairs of one item of `ones` and one of `others` as fit. `fits` is asked once for two classes, of their first items."""
    edges = [[j for j, other in enumerate(others) if fits(one[0], other[0])] for one in ones]
    sent: list[dict[int, int]] = [{} for _ in ones]
    free = [len(other) for other in others]
    for start, one in enumerate(ones):
        left = len(one)
        while left and (path := _path(start, edges, sent, free)):
            least = min([left, free[path[-1][1]], *(sent[i][j] for i, j in path[1::2])])
            for at, (i, j) in enumerate(path):
                sent[i][j] = sent[i].get(j, 0) + (least if at % 2 == 0 else -least)
            free[path[-1][1]] -= least
            left -= least
    waiting = [list(other) for other in others]
    pairs: Pairs = {}
    for one, counts in zip(ones, sent, strict=True):
        rest = iter(one)
        for j, count in sorted(counts.items()):
            for _ in range(count):
                pairs[next(rest)] = waiting[j].pop(0)
    return pairs


def _path(start: int, edges: list[list[int]], sent: list[dict[int, int]], free: list[int]) -> list[tuple[int, int]]:
    """A way from a class of ones to a free class of others: edges taken, in turn with edges given back. Empty where there is none."""
    came: dict[int, tuple[int, int | None]] = {}
    seen, todo = {start}, deque([(start, None)])
    back: dict[int, int | None] = {start: None}
    while todo:
        i, _ = todo.popleft()
        for j in edges[i]:
            if j in came:
                continue
            came[j] = (i, back[i])
            if free[j]:
                return _walked_back(j, came)
            for k, counts in enumerate(sent):
                if counts.get(j) and k not in seen:
                    seen.add(k)
                    back[k] = j
                    todo.append((k, None))
    return []


def _walked_back(end: int, came: dict[int, tuple[int, int | None]]) -> list[tuple[int, int]]:
    path: list[tuple[int, int]] = []
    j: int | None = end
    while j is not None:
        i, before = came[j]
        path.append((i, j))
        if before is not None:
            path.append((i, before))
        j = before
    return path[::-1]
