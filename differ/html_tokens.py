"""HTML as the tokens that a reader of the page can tell apart, in linear time for every input.

Left out because no reader can tell: the spelling of entities, the order of attributes, letter case of names, the value of
Django's CSRF field (its presence stays), and white space that a browser does not show. Of white space outside pre, textarea,
script, style and their like one blank is left, and none at the edge of a block or after another blank: `a <b>c</b>` is not
`a<b>c</b>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from differ.html_markup import Token, markup

MAX_DEPTH = 12
"""Tags of the tag path that a cluster is keyed by."""
_SPACE = re.compile(r"[ \t\n\f\r]+")
_UNSEEN = {"script", "style"}
_KEPT_SPACE = {"pre", "textarea", "listing", "xmp", "plaintext"} | _UNSEEN
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
_BOXES = {"audio", "button", "canvas", "iframe", "meter", "object", "progress", "select", "svg", "textarea", "video"}
"""Tags that stand in a line like a letter and have lines of their own inside."""
_LETTERS = {"embed", "img", "input"}
_BLOCK_NAMES = (
    "address article aside blockquote body br caption center col colgroup dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li listing main menu nav ol optgroup "
    "option p pre search section summary table tbody td tfoot th thead title tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())


def tokens(text: str, *, mask_csrf: bool) -> Iterator[Token]:
    """The tokens of a document or fragment, one after the other: two pages that differ early are not read to their ends."""
    page = _Page(mask_csrf)
    for token in markup(text):
        page.take(token)
        yield from page.settled()
    page.finish()
    yield from page.settled()


class _Page:
    """Tokens so far, and where in a line the next text stands."""

    def __init__(self, mask_csrf: bool) -> None:
        self._mask_csrf = mask_csrf
        self._made: list[Token | None] = []
        self._open: list[str] = []
        self._kept: list[str] = []
        """Open tags inside of which white space is kept, however deep they lie."""
        self._pending: list[str] = []
        self._blank = True
        """Whether a blank would not be seen here: at the edge of a block, or after another one."""
        self._last: int | None = None
        """The line's last text where nothing seen followed it: the end of the block takes its blank away."""

    def take(self, token: Token) -> None:
        if token.kind == "text":
            self._pending.append(token.name)
            return
        self._flush()
        within = self._within
        if token.kind == "start":
            attributes = _masked(token) if self._mask_csrf else token.attributes
            self._edge(token, opens=True)
            self._made.append(Token("start", token.name, attributes, within))
            if token.name not in _VOID:
                self._open.append(token.name)
                del self._open[:-1_000]
                if token.name in _KEPT_SPACE:
                    self._kept.append(token.name)
        elif token.kind == "end":
            self._close(token.name)
            self._edge(token, opens=False)
            if token.name not in _VOID:
                self._made.append(Token("end", token.name, (), within))
        elif token.kind == "cdata":
            self._seen()
            self._made.append(Token("cdata", token.name, (), within))
        else:
            self._made.append(Token(token.kind, token.name.strip(), (), within))

    def _close(self, name: str) -> None:
        """Closes the nearest open tag of that name and all inside of it. `</b>` does not close a `<pre>` that stands inside."""
        near = self._open[-MAX_DEPTH:]
        if name not in near:
            return
        inside = near[len(near) - near[::-1].index(name) :]
        if name not in _BLOCKS and name not in _KEPT_SPACE and any(tag in _KEPT_SPACE for tag in inside):
            return
        while (tag := self._open.pop()) != name:
            self._leave(tag)
        self._leave(name)

    def _leave(self, tag: str) -> None:
        if tag in _KEPT_SPACE and tag in self._kept:
            self._kept.pop()

    def finish(self) -> None:
        self._flush()
        self._break()

    def settled(self) -> list[Token]:
        """The tokens that nothing that follows can change, each given once."""
        end = len(self._made) if self._last is None else self._last
        if not end:
            return []
        found = [token for token in self._made[:end] if token is not None]
        del self._made[:end]
        if self._last is not None:
            self._last = 0
        return found

    @property
    def _within(self) -> str:
        return "/".join(self._open[-MAX_DEPTH:])

    def _flush(self) -> None:
        if not self._pending:
            return
        text = "".join(self._pending)
        self._pending.clear()
        kept = self._kept[-1] if self._kept else None
        if kept is None:
            text = _SPACE.sub(" ", text)
            if self._blank:
                text = text.removeprefix(" ")
            if not text:
                return
            self._blank, self._last = text.endswith(" "), len(self._made)
        elif kept not in _UNSEEN:  # a script in the middle of a line is not seen
            self._seen()
        self._made.append(Token("text", text, (), self._within))

    def _edge(self, token: Token, *, opens: bool) -> None:
        name = token.name
        if name in _BLOCKS:
            self._break()
        elif name in _BOXES:
            if opens:
                self._seen()
                self._blank = True
            else:
                self._break()
                self._seen()
        elif opens and name in _LETTERS and not (name == "input" and ("type", "hidden") in token.attributes):
            self._seen()

    def _seen(self) -> None:
        self._blank, self._last = False, None

    def _break(self) -> None:
        """The edge of a block: the blank before it is not seen, and none after it would be."""
        if self._last is not None:
            text = self._made[self._last]
            if text is not None and text.name.endswith(" "):
                shorter = text.name[:-1]
                self._made[self._last] = Token("text", shorter, (), text.within) if shorter else None
        self._blank, self._last = True, None


def _masked(token: Token) -> tuple[tuple[str, str], ...]:
    if token.name == "input" and ("name", "csrfmiddlewaretoken") in token.attributes:
        return tuple((name, "masked" if name == "value" and value else value) for name, value in token.attributes)
    return token.attributes
