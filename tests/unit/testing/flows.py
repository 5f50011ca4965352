"""A flow to call up: it books, and can be late, refuse, and break where a test wants it."""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from agentd.errors import ToolNotSent
from agentd.flow import Answer, Context, Flow, Slots, SpokenTime, State, When, compensable, deferred, read, slot


class Visit(Slots):
    day: SpokenTime | None = slot(ask="What day suits you?", again="Which day?")


@dataclass
class Office:
    """What is booked, and texted. `late` before each answer, in seconds; `away` as often nobody can be reached."""

    late: float = 0.0
    away: int = 0
    booked: dict[str, str] = field(default_factory=dict)
    texted: dict[str, str] = field(default_factory=dict)

    async def answers(self) -> None:
        """Cancelled: it has not answered."""
        await trio.sleep(self.late)
        if self.away:
            self.away -= 1
            raise ToolNotSent("nobody is there")


def a_flow(office: Office, **changes: object) -> Flow:
    """A flow whose tool books at that office."""

    @compensable(tell="You are booked for {day}.", identity=["day"], honours_key=True, timeout=8.0)
    async def book(context: Context, day: SpokenTime) -> None:
        await office.answers()
        office.booked[context.effect] = str(day)

    @book.undo
    async def unbook(context: Context) -> None:
        await office.answers()
        office.booked.pop(context.effect, None)

    @deferred(tell="I will text you about {day}.", identity=["day"], honours_key=True)
    async def text(context: Context, day: SpokenTime) -> None:
        await office.answers()
        office.texted[context.effect] = str(day)

    @read(tell="It will be {result}.")
    def weather(day: SpokenTime) -> str:
        """The weather of that day."""
        return "sunny"

    values: dict[str, object] = {
        "states": [
            State("greeting", say="How can I help?"),
            State("booking", fills=Visit, tools=[book], ask="Anything else?"),
            State("looking", fills=Visit, tools=[weather], ask="Anything else?"),
            State("texting", fills=Visit, tools=[text]),
            State("handover", say="One moment.", transfer="desk"),
            State("goodbye", say="Goodbye.", final=True),
        ],
        "transitions": [
            When("wants_visit", "*", "booking", "book a visit"),
            When("wants_weather", "*", "looking", "how is the weather"),
            When("wants_text", "*", "texting", "text me"),
            When("wants_human", "*", "handover", "speak to a person"),
            When("is_done", "*", "goodbye", "goodbye", "that's all"),
        ],
        "answers": [Answer("asks_price", "It is free.", "how much is it")],
        "help": "a visit",
        "greeting": "Hello.",
        "disclosure": False,
        "timezone": "America/New_York",
        "transfers": {"desk": "+12125550199"},
        "stuck": "wants_human",
    }
    return Flow("office", **(values | changes))  # type: ignore[arg-type]
