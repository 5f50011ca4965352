"""The agent's part in a scripted conversation: a small flow with tools, and a thinker that answers by rote."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import trio

from agentd.errors import ProviderError, ToolError
from agentd.flow.declare import State, When
from agentd.flow.listening import YES_NO
from agentd.flow.model import Flow
from agentd.flow.tools import read
from agentd.messages import Proposal, Segment, ThinkRequest, UseTool
from agentd.providers.base import Thought

STORY = "once upon a time there lived seven old dwarfs behind big green mountains far away from every noisy town"


@read(timeout=8.0)
async def look_up(seconds: float = 0.0) -> str:
    """Look something up, which takes a while."""
    await trio.sleep(seconds)
    return "ten"


@read()
async def broken() -> str:
    """Break."""
    raise ToolError("the calendar is on fire")


@read()
async def buggy() -> str:
    """Hold an author's mistake."""
    raise ZeroDivisionError


@read(timeout=0.5)
async def endless() -> str:
    """Never come back."""
    await trio.sleep_forever()
    raise AssertionError


@read()
async def elsewhere() -> str:
    """Belong to another state."""
    return "nothing"


def flow(stuck: str = "") -> Flow:
    """Talk in the open, a desk with a human, a goodbye. `stuck`: the trigger that gives up."""
    return Flow(
        "test",
        states=[
            State("open", say="hello", tools=[look_up, broken, buggy, endless]),
            State("sure", say="is that right?", listen=YES_NO),
            State("desk", say="hold the line while I connect you", transfer="desk"),
            State("bye", final=True, say="goodbye then", tools=[elsewhere]),
        ],
        transitions=[
            When("wants_sure", "open", "sure", "confirm"),
            When("wants_human", "*", "desk", "a person"),
            When("wants_end", "*", "bye", "goodbye"),
        ],
        transfers={"desk": "+15550199"},
        goodbye="thanks for calling goodbye",
        apology="I am sorry something broke",
        stuck=stuck,
    )


LONELY = flow()
HELPED = flow(stuck="wants_human")


@dataclass(frozen=True)
class Round:
    """One round: segments parted by "|", then proposals. `delay` before the first segment, `between` before each other one."""

    text: str = ""
    proposals: tuple[Proposal, ...] = ()
    delay: float = 0.0
    between: float = 0.0
    fail: Exception | None = None
    understood: bool = True


def tool(name: str, **args: object) -> tuple[UseTool, ...]:
    """A proposal to use a tool."""
    return (UseTool(f"id-{name}", name, args),)


def failure(*, retryable: bool = True) -> ProviderError:
    """An engine's failure."""
    return ProviderError("test", "it broke", retryable=retryable)


Answer = str | Round | tuple[Round, ...] | Callable[[ThinkRequest], "str | Round"]


@dataclass
class Script:
    """A thinker that answers by rote: `answers` by the caller's words, else it says them back.

    A question mark at a segment's end makes it one. `crash` is asked before each round and raises if it likes.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    opening: Answer = "welcome to the test line"
    silence: str = "are you there {}"
    misheard: str = "pardon me {}"
    crash: Callable[[ThinkRequest], Exception | None] = lambda _: None
    requests: list[ThinkRequest] = field(default_factory=list)

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        self.requests.append(request)
        if (error := self.crash(request)) is not None:
            raise error
        this = self._round(request)
        await trio.sleep(this.delay)
        for number, part in enumerate(part.strip() for part in this.text.split("|") if part.strip()):
            if number:
                await trio.sleep(this.between)
            asks = len(part) if part.endswith("?") else None
            await say(Segment(request.reply, request.next_segment + number, part, answer_from=asks))
        if this.fail is not None:
            raise this.fail
        return Thought(this.proposals, understood=this.understood)

    def _round(self, request: ThinkRequest) -> Round:
        match request.why:
            case "opening":
                answer: Answer = self.opening
            case "silence":
                answer = self.silence.format(request.prompt)
            case "misheard":
                answer = self.misheard.format(sum(r.why == "misheard" for r in self.requests))
            case _:
                answer = self.answers.get(request.text, f"you said {request.text}")
        if isinstance(answer, tuple):
            answer = answer[request.round]
        if callable(answer):
            answer = answer(request)
        return Round(answer) if isinstance(answer, str) else answer

    def asked(self) -> list[str]:
        """The caller's words in the order of the replies that were begun."""
        return [request.text for request in self.requests if request.why == "reply" and not request.round]
