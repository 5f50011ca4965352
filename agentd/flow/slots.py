"""Slots: what a flow wants to know, as a pydantic model, each with its question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from agentd.errors import FlowError
from agentd.flow.refusal import Refused
from agentd.flow.spoken import IMPLIED, Spoken


class Slots(BaseModel):
    """Base of a flow's slots. Every field is optional, and is asked for in the order in which it is written.

    A validator's ValueError is spoken to the caller: write it as a sentence ("We are closed on Sundays.").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def slot(*, ask: str, again: str = "", one: str = "", confirm: str = "", examples: Sequence[str] = ()) -> Any:
    """A slot's words: the question, the question in other words, and how to read the value back.

    `one` asks where a tool offered a single value, and a yes takes it; without `one` it is taken. `confirm` is a yes/no
    question that holds the value: "I have {phone}. Is that right?". `examples` are answers for the recognizer to know, where
    the type has no grammar.
    """
    return Field(
        default=None, json_schema_extra={"ask": ask, "again": again, "one": one, "confirm": confirm, "examples": [*examples]}
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a flow, as read from its model."""

    name: str
    spoken: Spoken
    owner: type[Slots]
    ask: str = ""
    again: str = ""
    one: str = ""
    confirm: str = ""
    examples: tuple[str, ...] = ()


def slots_of(owner: type[Slots]) -> Iterator[Slot]:
    """The slots of a model, in order; FlowError for one that cannot be spoken or must be given."""
    for name, field in owner.model_fields.items():
        where = f"{owner.__name__}.{name}"
        if field.is_required():
            raise FlowError(
                "a slot must be empty at first",
                where=where,
                mend=f'write `{name}: … | None = slot(ask="…")`, or give it a default.',
            )
        spoken = spoken_of(field)
        if spoken is None:
            raise FlowError(
                f"a slot of type {field.annotation} cannot be heard in words",
                where=where,
                mend="use SpokenTime, SpokenDate, SpokenName, SpokenPhone, SpokenNumber, YesNo or FreeText.",
            )
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        words: dict[str, Any] = {key: extra.get(key, "") for key in ("ask", "again", "one", "confirm")}
        examples = extra.get("examples", ())
        yield Slot(
            name, spoken, owner, **words, examples=tuple(str(text) for text in examples) if isinstance(examples, list) else ()
        )


def spoken_of(field: FieldInfo) -> Spoken | None:
    """The spoken type in a field's annotation, however deep; the implied one of a plain type."""
    for mark in field.metadata:
        if isinstance(mark, Spoken):
            return mark
    todo, plain = [field.annotation], None
    while todo:
        annotation = todo.pop(0)
        if isinstance(annotation, type) and annotation in IMPLIED:
            plain = plain or IMPLIED[annotation]
        for inner in get_args(annotation) if get_origin(annotation) in (Annotated, Union, UnionType) else ():
            if isinstance(inner, Spoken):
                return inner
            todo.append(inner)
    return plain


def checked(owners: Sequence[type[Slots]], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as the models accept them, None left out; Refused with a sentence for what one of them does not take."""
    accepted: dict[str, Any] = {}
    for owner in owners:
        own = {name: value for name, value in values.items() if name in owner.model_fields and value is not None}
        try:
            model = owner.model_validate(own)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            meant = first.get("ctx", {}).get("error")
            if first["type"] == "value_error" and isinstance(meant, ValueError):
                raise Refused(str(meant), spoken=True) from None
            raise Refused(f"{'.'.join(map(str, first['loc'])) or owner.__name__}: {first['msg']}") from None
        accepted |= {name: value for name in own if (value := getattr(model, name)) is not None}
    return accepted


def written(owners: Sequence[type[Slots]], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as JSON knows them."""
    plain: dict[str, Any] = {}
    for owner in owners:
        own = {name: value for name, value in values.items() if name in owner.model_fields}
        plain |= owner.model_construct(**own).model_dump(mode="json", include=set(own))
    return plain
