"""The grammar of RFC 9535, read by hand: the whole of its ABNF and its rules of well-typedness, and nothing else.

It is ours because jsonpath-rfc9535, which the tests compare it with, takes what the RFC refuses (`!@.a == 1`, `(@.a) == 1`,
`!1`, `-01`), refuses what it allows (`$.日本`, `0e1`) and differs between its versions. A path that is misread hides differences.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.queries import (
    AllOf,
    AnyOf,
    Call,
    Comparison,
    Dynamic,
    Filter,
    FromEnd,
    Literal,
    Logical,
    Not,
    Operand,
    Query,
    Selector,
    Slice,
    Step,
    Test,
    Wildcard,
    cost_of,
)
from rules.reading import nearest
from rules.regexes import PatternError, check_iregexp
from rules.tokens import NAME, OPERATOR, WORD, Cursor, Misuse

MAX_NESTING = 40
"""Filters, parentheses and function calls inside one another: bounds the recursion of whoever walks the tree."""
_CONSTANTS = {"true": True, "false": False, "null": None}

FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "length": (("value",), "value"),
    "count": (("nodes",), "value"),
    "match": (("value", "value"), "logical"),
    "search": (("value", "value"), "logical"),
    "value": (("nodes",), "value"),
}
"""The functions of RFC 9535 2.4: the types of their parameters and of their result."""


def read_steps(text: str) -> tuple[Step, ...]:
    """The segments of the path that `text` spells. Raises GrammarError where it spells none."""
    return _Parser(text).path()


class _Parser(Cursor):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.nesting = 0

    def deeper(self) -> None:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise Misuse(f"more than {MAX_NESTING} filters, parentheses and functions inside one another")

    # --- segments and selectors

    def path(self) -> tuple[Step, ...]:
        if not self.take("$"):
            raise self.fault("a path starts with '$'")
        steps, _ = self.steps()
        if self.at < len(self.text):
            blank = self.text[self.at :].isspace()
            raise self.fault("a path has no blanks at its end" if blank else "expected '.', '..' or '['")
        return steps

    def steps(self) -> tuple[tuple[Step, ...], bool]:
        """Segments, and whether the grammar's singular-query spells them: it has no blanks within brackets."""
        found: list[Step] = []
        singular = True
        while True:
            before = self.at
            self.blanks()
            start = self.at
            step = self.step()
            if step is None:
                self.at = before
                return tuple(found), singular
            tight = not (self.text[start] == "[" and (self.text[start + 1].isspace() or self.text[self.at - 2].isspace()))
            singular = singular and tight and not step.descendant and len(step.selectors) == 1
            singular = singular and isinstance(step.selectors[0], str | int | FromEnd)
            found.append(step)

    def step(self) -> Step | None:
        descendant = self.take("..")
        if descendant and self.starts("["):
            return Step(self.bracketed(), descendant=True)
        if descendant or self.take("."):
            if self.take("*"):
                return Step((Wildcard(),), descendant)
            name = self.match(NAME)
            if name is None:
                raise self.fault(f"expected a name or '*'{' or ' + repr('[') if descendant else ''} right after the dots")
            return Step((name[0],), descendant)
        return Step(self.bracketed()) if self.starts("[") else None

    def bracketed(self) -> tuple[Selector, ...]:
        self.take("[")
        found = []
        while True:
            self.blanks()
            found.append(self.selector())
            if self.take_next(","):
                continue
            self.blanks()
            if not self.take("]"):
                raise self.fault("expected ',' or ']'")
            return tuple(found)

    def selector(self) -> Selector:
        if self.take("*"):
            return Wildcard()
        if self.starts("'") or self.starts('"'):
            return self.string()
        if self.take("?"):
            self.deeper()
            self.blanks()
            test = self.tested(self.any_of())
            self.nesting -= 1
            return Filter(test, cost_of(test))
        start = self.integer()
        if not self.take_next(":"):
            if start is None:
                raise self.fault("expected a selector: a quoted name, an index, a slice, '*' or '?'")
            return start if start >= 0 else FromEnd(start)
        self.blanks()
        end = self.integer()
        step = None
        if self.take_next(":"):
            self.blanks()
            step = self.integer()
        return Slice(start, end, step)

    # --- filters

    def any_of(self) -> Logical | Operand:
        return self.joined("||", self.all_of, AnyOf)

    def all_of(self) -> Logical | Operand:
        return self.joined("&&", self.basic, AllOf)

    def joined(self, word: str, part: Callable[[], Logical | Operand], whole: type[AllOf] | type[AnyOf]) -> Logical | Operand:
        first = part()
        if not self.take_next(word):
            return first
        parts = [self.tested(first)]
        while True:
            self.blanks()
            parts.append(self.tested(part()))
            if not self.take_next(word):
                return whole(tuple(parts))

    def tested(self, found: Logical | Operand) -> Logical:
        """`found` as a test, which a literal and a function's value are not."""
        if isinstance(found, Literal):
            raise self.fault("a literal by itself is no test: compare it")
        if isinstance(found, Call) and FUNCTIONS[found.name][1] == "value":
            raise self.misuse(f"{found.name}() gives a value, which is no test: compare it", self.at)
        return Test(found) if isinstance(found, Query | Call) else found

    def basic(self) -> Logical | Operand:
        if self.take("!"):
            self.blanks()
            inner = self.grouped() if self.starts("(") else self.tested(self.operand())
            self.refuse_comparison("'!' stands before a test or parentheses: write !(... == ...)")
            return Not(inner)
        if self.starts("("):
            grouped = self.grouped()
            self.refuse_comparison("what is compared stands without parentheses")
            return grouped
        left = self.operand()
        before = self.at
        self.blanks()
        operator = self.match(OPERATOR)
        if operator is None:
            if self.starts("="):
                raise self.fault("equality is written '=='")
            self.at = before
            return left
        self.comparable(left)
        self.blanks()
        right = self.operand()
        self.comparable(right)
        self.refuse_comparison("a comparison has two sides: join comparisons with '&&'")
        return Comparison(left, operator[0], right)

    def grouped(self) -> Logical:
        self.deeper()
        self.take("(")
        self.blanks()
        inner = self.tested(self.any_of())
        self.blanks()
        if not self.take(")"):
            raise self.fault("expected an operator or ')'")
        self.nesting -= 1
        return inner

    def refuse_comparison(self, reason: str) -> None:
        before = self.at
        self.blanks()
        if OPERATOR.match(self.text, self.at):
            raise self.fault(reason)
        self.at = before

    def comparable(self, operand: Operand) -> None:
        if isinstance(operand, Query) and operand.keys is None:
            raise self.fault("only a singular query (names and indices, no blanks within brackets) can be compared")
        if isinstance(operand, Call) and FUNCTIONS[operand.name][1] != "value":
            raise self.misuse(f"{operand.name}() is a test: its result cannot be compared", self.at)

    def operand(self) -> Operand:
        if self.starts("'") or self.starts('"'):
            return Literal(self.string())
        if self.starts("@") or self.starts("$"):
            self.at += 1
            absolute = self.text[self.at - 1] == "$"
            steps, singular = self.steps()
            return Query(absolute, steps, tuple(map(_key, steps)) if singular else None)
        number = self.number()
        if number is not None:
            return Literal(number)
        start = self.at
        word = self.match(WORD)
        if word is not None and self.starts("("):
            return self.call(word[0], start)
        if word is not None and word[0] in _CONSTANTS:
            return Literal(_CONSTANTS[word[0]])
        self.at = start
        raise self.fault("expected '@', '$', a literal, a function, '!' or '('")

    def call(self, name: str, start: int) -> Call:
        if name not in FUNCTIONS:
            allowed = ", ".join(FUNCTIONS)
            raise self.misuse(f"{name!r} is no function; {nearest(name, FUNCTIONS)}allowed: {allowed}", start)
        self.deeper()
        self.take("(")
        self.blanks()
        given: list[Logical | Operand] = []
        while not self.take(")"):
            if given and not self.take(","):
                raise self.fault("expected ',' or ')'")
            self.blanks()
            given.append(self.any_of())
            self.blanks()
        self.nesting -= 1
        return Call(name, self.typed(name, given, start))

    def typed(self, name: str, given: list[Logical | Operand], start: int) -> tuple[Operand, ...]:
        wanted = FUNCTIONS[name][0]
        if len(given) != len(wanted):
            raise self.misuse(f"{name}() takes {len(wanted)} argument{'s'[: len(wanted) > 1]}, not {len(given)}", start)
        arguments = []
        for kind, argument in zip(wanted, given, strict=True):
            if kind == "nodes":
                if not isinstance(argument, Query):
                    raise self.misuse(f"{name}() takes a query", start)
            elif not isinstance(argument, Literal | Query | Call):
                raise self.misuse(f"{name}() takes a value, not a test", start)
            elif isinstance(argument, Query) and argument.keys is None:
                raise self.misuse(f"{name}() takes a singular query (names and indices, no blanks within brackets)", start)
            elif isinstance(argument, Call) and FUNCTIONS[argument.name][1] != "value":
                raise self.misuse(f"{name}() takes a value, and {argument.name}() is a test", start)
            arguments.append(argument)
        if name in ("match", "search") and isinstance(arguments[1], Literal) and isinstance(arguments[1].value, str):
            try:
                check_iregexp(arguments[1].value)
            except PatternError as error:
                raise self.misuse(str(error), start) from error
        return tuple(arguments)


def _key(step: Step) -> str | int:
    selector = step.selectors[0]
    assert isinstance(selector, str | int | FromEnd)
    return selector.index if isinstance(selector, Dynamic) else selector
