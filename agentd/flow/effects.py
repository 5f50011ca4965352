"""Tools that change the world, as declared: their functions, what the ledger is told of them, and what the caller is."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from agentd.errors import FlowError, ToolError
from agentd.flow import templates
from agentd.flow.arguments import RESULT, Function, further
from agentd.flow.slots import spoken_of
from agentd.flow.templates import Line
from agentd.flow.tools import Tool
from agentd.ledger.row import Kind, Traits
from agentd.messages import Mode

F = TypeVar("F", bound=Callable[..., Any] | Function)


class Part(StrEnum):
    """A function of an effect."""

    DO = "do"
    """The one that was decorated: `do`, a hold's `prepare`, or the `act` of a deferred effect or a pivot."""
    CONFIRM = "confirm"
    CANCEL = "cancel"
    UNDO = "undo"
    STATUS = "status"


PARTS: Final[Mapping[Kind, frozenset[Part]]] = {
    Kind.COMPENSABLE: frozenset({Part.DO, Part.UNDO, Part.STATUS}),
    Kind.HELD: frozenset({Part.DO, Part.CONFIRM, Part.CANCEL, Part.UNDO, Part.STATUS}),
    Kind.DEFERRED: frozenset({Part.DO, Part.STATUS}),
    Kind.PIVOT: frozenset({Part.DO, Part.STATUS}),
}
"""The functions that each class may have."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What a hold's `prepare` may return: how long the remote promises the confirmation, and what there is to tell."""

    expires: datetime
    result: Any = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EffectTool(Tool):
    """A tool that changes the world; `agentd.flow.declaring` says what its author declares.

    `texts` are what is said of it, `undone` of the row that takes it back. `resource` names what requests of one call must
    not be sent to at the same time, and may have {arguments}.
    """

    kind: Kind
    declared: Traits
    texts: Mapping[Mode, str]
    undone: Mapping[Mode, str]
    identity: Sequence[str] | None
    needed: Sequence[Tool] = ()
    resource: str = ""
    then: str = ""
    ttl: float = 0.0
    parts: dict[Part, Function] = field(default_factory=dict)

    # ── Its other functions ──────────────────────────────────────────────────────────────────────────────────────────

    def confirm(self, function: F) -> F:
        """Declare how a hold is made good. It may take the tool's arguments, a Context, and `result`, as all of these may."""
        return self._add(Part.CONFIRM, function)

    def cancel(self, function: F) -> F:
        """Declare how a hold that was not confirmed is let go."""
        return self._add(Part.CANCEL, function)

    def undo(self, function: F) -> F:
        """Declare how it is undone: for a hold, after its confirmation."""
        return self._add(Part.UNDO, function)

    def status(self, function: F) -> F:
        """Declare how the remote is asked what became of `context.effect`: gives "there", "confirmed" or "absent"."""
        return self._add(Part.STATUS, function)

    def _add(self, part: Part, function: F) -> F:
        where = f"tool {self.name!r}"
        if part not in PARTS[self.kind]:
            may = ", ".join(f"@{self.name}.{one}" for one in Part if one in PARTS[self.kind] - {Part.DO})
            raise FlowError(
                f"a {self.kind} tool has no {part}", where=where, mend=f"it may have {may}; or declare another class."
            )
        if part in self.parts:
            raise FlowError(f"it has two functions for {part}", where=where, mend="remove one of them.")
        self.parts[part] = further(function, self.function)
        return function

    # ── What the ledger is told of it ────────────────────────────────────────────────────────────────────────────────

    @property
    def traits(self) -> Traits:
        """What was declared, as a row carries it."""
        return replace(self.declared, status=Part.STATUS in self.parts, undo=Part.UNDO in self.parts)

    @property
    def needs(self) -> tuple[str, ...]:
        """The tools whose effects it needs, by name."""
        return tuple(tool.name for tool in self.needed)

    def dump(self, args: BaseModel) -> str:
        """Arguments that `check` gave, as the JSON that a row keeps."""
        return args.model_dump_json()

    def read_args(self, text: str) -> BaseModel:
        """What `dump` wrote; ToolError where this declaration does not take it any more."""
        try:
            return self.args.model_validate_json(text)
        except ValidationError as error:
            raise ToolError(f"{self.name} does not take these arguments any more: {error.error_count()} are wrong") from None

    def identity_of(self, args: BaseModel) -> str:
        """A digest of what makes two calls the same act: case, width and spaces make no difference."""
        same = _same(args.model_dump(mode="json", include=set(self.identity or ())))
        plain = json.dumps([self.name, same], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(plain.encode()).hexdigest()

    def resource_of(self, args: BaseModel) -> str:
        """What these arguments' requests must not be sent to side by side; "" for nothing."""
        plain = args.model_dump(mode="json")
        return templates.render(self.resource, lambda name: str(plain.get(name, ""))).text

    # ── What is said of it ───────────────────────────────────────────────────────────────────────────────────────────

    def line(self, mode: Mode, args: Mapping[str, Any], result: Any, now: datetime, *, undone: bool = False) -> Line:
        """What is said of a row with these `args` and this `result`, both as JSON has them, as one says it at `now`.

        `undone`: of the row that takes it back. The line's `told` is never None: without a value in it, all of it must be
        heard.
        """

        def value(name: str) -> str:
            head, _, key = name.partition(".")
            if head != RESULT:
                return self.said(name, args.get(name), now)
            found = result if not key else result.get(key) if isinstance(result, Mapping) else None
            return "" if found is None else str(found)

        said = templates.render((self.undone if undone else self.texts)[mode], value)
        return replace(said, told=len(said.text) if said.told is None else said.told)

    def said(self, name: str, value: Any, now: datetime) -> str:
        """The value of an argument, as JSON has it, in words; as it stands where this declaration does not take it any more."""
        info = self.args.model_fields.get(name)
        if value is None:
            return ""
        if info is None or (spoken := spoken_of(info)) is None:
            return str(value)
        try:
            return spoken.say(_reader(self.args, name).validate_python(value), now)
        except ValidationError:
            return str(value)


@cache
def _reader(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """Reads one argument of a model."""
    return TypeAdapter(model.model_fields[name].rebuild_annotation())


def _same(value: Any) -> Any:
    """A JSON value with its texts folded."""
    match value:
        case str():
            return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
        case dict():
            return {key: _same(item) for key, item in value.items()}
        case list():
            return [_same(item) for item in value]
    return value
