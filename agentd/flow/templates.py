"""Texts with {slots} in them: which fields they name, and what they say once those are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter

from agentd.errors import FlowError


@dataclass(frozen=True, slots=True)
class Line:
    """Something to say. `told` is the character behind its last value, None where it holds none."""

    text: str
    told: int | None = None

    def then(self, other: Line) -> Line:
        """This and another, in one breath."""
        if not self.text or not other.text:
            return self if self.text else other
        told = self.told if other.told is None else len(self.text) + 1 + other.told
        return Line(f"{self.text} {other.text}", told)

    @property
    def answer_from(self) -> int | None:
        """Where an answer may begin; None where nothing is asked.

        That is behind the last value that was told in the question or right before it, else where the question begins.
        """
        if not self.text.rstrip().endswith("?"):
            return None
        clauses = [0, *(end.end() for end in _CLAUSE.finditer(self.text))]
        return self.told if self.told is not None and self.told > clauses[-2:][0] else clauses[-1]


_CLAUSE = re.compile(r"[.!?;:]\s+(?=\S)")


def fields(template: str) -> tuple[str, ...]:
    """The names in a template; FlowError where it is not one. What a tool returned may be looked into: {result.name}."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise FlowError(
            f"the text {template!r} is no template: {error}", mend="write {{ and }} for braces that are meant."
        ) from None
    for _, name, form, conversion in parts:
        if name is not None and (not name.removeprefix("result.").isidentifier() or form or conversion):
            raise FlowError(
                f"the text {template!r} has a field {{{name}}} that is no plain name", mend="write {slot}, nothing more."
            )
    return tuple(name for _, name, _, _ in parts if name is not None)


def render(template: str, value: Callable[[str], str]) -> Line:
    """Put the values in. A value that is not known yet leaves nothing behind."""
    text, told = "", None
    for literal, name, _, _ in Formatter().parse(template):
        text += literal
        if name is not None:
            said = value(name)
            text, told = (text + said, len(text) + len(said)) if said else (text.rstrip(), told)
    return Line(text, told)
