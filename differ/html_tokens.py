"""HTML as the tokens that a reader of the page can tell apart, in linear time for every input.

Left out because no reader can tell: the spelling of entities, the order of attributes, letter case of names, the value of
Django's CSRF field (its presence stays), and white space that a browser does not show. Of white space outside pre, textarea,
script and style one blank is left, and none at the edge of a block or after another blank: `a <b>c</b>` is not `a<b>c</b>`.
"""

from __future__ import annotations

import re

from differ.html_markup import Token, markup

MAX_DEPTH = 12
"""Tags of the tag path that a cluster is keyed by."""
_SPACE = re.compile(r"[ \t\n\f\r]+")
_KEPT_SPACE = {"pre", "textarea", "script", "style"}
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


def tokens(text: str, *, mask_csrf: bool) -> list[Token]:
    """The tokens of a document or fragment."""
    page = _Page(mask_csrf)
    for token in markup(text):
        page.take(token)
    return page.finished()


class _Page:
    """Tokens so far, and where in a line the next text stands."""

    def __init__(self, mask_csrf: bool) -> None:
        self._mask_csrf = mask_csrf
        self._made: list[Token | None] = []
        self._open: list[str] = []
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
        elif token.kind == "end":
            if token.name in self._open[-MAX_DEPTH:]:
                while self._open.pop() != token.name:
                    pass
            self._edge(token, opens=False)
            if token.name not in _VOID:
                self._made.append(Token("end", token.name, (), within))
        elif token.kind == "cdata":
            self._seen()
            self._made.append(Token("cdata", token.name, (), within))
        else:
            self._made.append(Token(token.kind, token.name.strip(), (), within))

    def finished(self) -> list[Token]:
        self._flush()
        self._break()
        return [token for token in self._made if token is not None]

    @property
    def _within(self) -> str:
        return "/".join(self._open[-MAX_DEPTH:])

    def _flush(self) -> None:
        if not self._pending:
            return
        text = "".join(self._pending)
        self._pending.clear()
        kept = next((tag for tag in reversed(self._open[-MAX_DEPTH:]) if tag in _KEPT_SPACE), None)
        if kept is None:
            text = _SPACE.sub(" ", text)
            if self._blank:
                text = text.removeprefix(" ")
            if not text:
                return
            self._blank, self._last = text.endswith(" "), len(self._made)
        elif kept in ("pre", "textarea"):  # a script in the middle of a line is not seen
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
