from __future__ import annotations

from collections.abc import Awaitable, Callable

from agentd.flow.declare import State, When
from agentd.flow.model import Flow
from agentd.messages import Segment, ThinkRequest
from agentd.providers.base import Thought
from tests.calls.harness import telephone_call

FLOW = Flow(
    "test",
    states=[
        State("open", transfer="", say="hello"),
        State("desk", say="I put you through", transfer="desk"),
        State("bye", final=True, say="goodbye"),
    ],
    transitions=[When("wants_human", "*", "desk", "a person"), When("wants_end", "*", "bye", "goodbye")],
    transfers={"desk": "+15550199"},
)

Reply = Callable[[str], str]


class Script:
    """A thinker that answers by rote."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.requests: list[ThinkRequest] = []

    async def think(self, request: ThinkRequest, say: Callable[[Segment], Awaitable[None]]) -> Thought:
        self.requests.append(request)
        text = {
            "opening": "welcome to the test line",
            "silence": f"are you there {request.prompt}",
            "misheard": "pardon me",
        }.get(request.why)
        text = text or self._reply(request.text)
        for number, part in enumerate(text.split("|")):
            await say(
                Segment(
                    request.reply,
                    request.next_segment + number,
                    part.strip(),
                    answer_from=len(part.strip()) if part.strip().endswith("?") else None,
                )
            )
        return Thought()


async def test_a_question_is_answered_and_the_conversation_holds_both(autojump_clock: object) -> None:
    script = Script(lambda text: f"you said {text}")
    async with telephone_call(FLOW, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("what are your hours")
        await scene.phone.quiet()
    assert scene.phone.sentence() == "welcome to the test line you said what are your hours"
    assert scene.conversation() == [
        ("agent", "welcome to the test line"),
        ("caller", "what are your hours"),
        ("agent", "you said what are your hours"),
    ]
    assert scene.outcome == "hangup"
