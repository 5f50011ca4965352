"""Tools: fillers, outcomes, barge-in while one runs."""

from __future__ import annotations

import pytest
import trio

from agentd.flow.lines import FILLERS
from agentd.messages import Fill, Fire, Outcome, Proposal, ThinkRequest, ToolDone
from agentd.offload import Inline
from tests.calls.harness import telephone_call
from tests.calls.script import LONELY, STORY, Round, Script, tool

FILLER = FILLERS[0].split()


def looking(seconds: float, first: str = "") -> tuple[Round, ...]:
    """Look something up, then tell it."""
    return (Round(first, tool("look_up", seconds=seconds)), Round("we have ten"))


def outcomes(script: Script) -> list[Outcome]:
    return [outcome for request in script.requests for outcome in request.outcomes]


async def test_a_quick_tool_is_told_without_a_filler(autojump_clock: object) -> None:
    script = Script({"when": looking(0.3)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.conversation()[-1] == ("agent", "we have ten")
    assert "say filler" not in scene.log.commands()
    assert outcomes(script)[0].result == "ten"


async def test_a_slow_tool_is_bridged_by_a_filler_that_never_enters_the_conversation(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"when": looking(3)})) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.untold() == FILLER
    assert scene.conversation()[-1] == ("agent", "we have ten")


async def test_the_filler_comes_when_the_caller_has_waited_800_ms_and_the_tool_400(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"when": looking(3)})) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.reaches("waiting")
        entry = next(entry for entry in scene.log.entries if entry.state == "waiting")
        filler = next(command for command in entry.commands if command.startswith("arm filler"))
        # The word ended 0.7 s ago (the endpoint): the tool's own 0.4 s is the later one.
        assert filler == "arm filler 0.4"
        await scene.phone.hears("One")
        assert 0.4 < trio.current_time() - entry.at < 0.5


async def test_a_result_waits_for_the_fillers_end(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"when": looking(0.6)})) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.phone.heard()[-6:] == [*FILLER, "we", "have", "ten"]


async def test_a_very_slow_tool_gets_a_second_filler_and_no_third(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"when": looking(7.9)})) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.untold() == [*FILLER, *FILLERS[1].split()]


async def test_words_before_a_tool_are_heard_while_it_runs_and_count_as_no_waiting(autojump_clock: object) -> None:
    script = Script({"when": looking(1.0, "let me look that up for you")})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.untold() == []
    assert [text for _, text in scene.conversation()[2:]] == ["let me look that up for you", "we have ten"]


@pytest.mark.parametrize(
    ("name", "status"), [("broken", "failed"), ("buggy", "failed"), ("endless", "timeout"), ("elsewhere", "refused")]
)
async def test_a_tool_that_breaks_stalls_or_is_not_allowed_is_an_outcome_and_the_call_goes_on(
    autojump_clock: object, name: str, status: str
) -> None:
    script = Script({"when": (Round(proposals=tool(name)), Round("i cannot tell"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("tell")
        await scene.phone.silence()
        scene.phone.say("never mind that")
        await scene.phone.hears("mind")
    assert [outcome.status for outcome in outcomes(script)] == [status]


async def test_a_tool_with_wrong_arguments_is_refused(autojump_clock: object) -> None:
    script = Script({"when": (Round(proposals=tool("look_up", seconds="soon")), Round("i cannot tell"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("tell")
    assert [outcome.status for outcome in outcomes(script)] == ["refused"]


async def test_a_refused_tool_call_is_mended_in_the_next_round(autojump_clock: object) -> None:
    wrong, right = (tool("look_up", seconds=seconds) for seconds in ("soon", 0.1))
    script = Script({"when": (Round(proposals=wrong), Round(proposals=right), Round("we have ten"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
    assert [outcome.status for outcome in outcomes(script)] == ["refused", "done"]


async def test_after_a_second_refusal_no_tool_is_used_in_that_reply_but_in_the_next_one(autojump_clock: object) -> None:
    wrong, right = (tool("look_up", seconds=seconds) for seconds in ("soon", 0.1))
    rounds = (*(Round(proposals=use) for use in (wrong, wrong, right)), Round("i cannot tell"))
    script = Script({"when": rounds, "and now": (Round(proposals=right), Round("we have ten"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("tell")
        await scene.phone.silence()
        scene.phone.say("and now")
        await scene.phone.hears("ten")
    assert [outcome.status for outcome in outcomes(script)] == ["refused", "refused", "refused", "done"]
    assert "no more tools" in outcomes(script)[2].why


async def test_several_tools_of_one_round_are_waited_for_together(autojump_clock: object) -> None:
    both = tool("look_up", seconds=0.2) + tool("broken")
    script = Script({"when": (Round(proposals=both), Round("we have ten"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
    assert sorted(outcome.status for outcome in outcomes(script)) == ["done", "failed"]
    assert len(script.requests) == 3


async def test_refusals_and_outcomes_of_one_round_reach_the_next_one_together(autojump_clock: object) -> None:
    nonsense: tuple[Proposal, ...] = (Fire("no_such_thing"), Fill({"no_such_slot": 1}))
    mixed = nonsense + tool("look_up") + tool("elsewhere")
    script = Script({"when": (Round(proposals=mixed), Round("we have ten"))})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
    assert sorted(outcome.status for outcome in outcomes(script)) == ["done", "refused", "refused", "refused"]


async def test_a_thinker_that_goes_in_circles_is_stopped_and_the_caller_gets_an_apology(autojump_clock: object) -> None:
    def again(request: ThinkRequest) -> Round:
        return Round(proposals=tool("look_up"))

    async with telephone_call(LONELY, Script({"when": again})) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.over.wait()
    assert scene.agent()[-5:] == ["I", "am", "sorry", "something", "broke"]
    assert scene.outcome == "failed"


async def test_a_barge_in_while_a_tool_runs_does_not_lose_its_result(autojump_clock: object) -> None:
    script = Script({"when": looking(5, STORY), "what about tuesday": "on tuesday too"})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("dwarfs")
        scene.phone.say("what about tuesday")
        await scene.phone.hears("too")
        await scene.phone.silence()
        await trio.sleep(2)
        scene.phone.say("so when is it")
        await scene.phone.hears("so")
    assert [done.outcome.status for done in scene.events(ToolDone)] == ["done"]
    assert any(line.who == "tool" and line.text == "look_up: done" for line in script.requests[-1].conversation)


async def test_a_caller_who_goes_on_while_a_tool_runs_reopens_the_turn(autojump_clock: object) -> None:
    script = Script({"when": looking(3)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.reaches("waiting")
        scene.phone.say("are you open")
        await scene.phone.hears("open")
        await scene.phone.silence()
    assert scene.caller() == ["when are you open"]
    assert "ten" not in scene.phone.heard()


async def test_a_cough_while_a_filler_plays_loses_neither_filler_nor_result(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"when": looking(4)})) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("One")
        scene.phone.cough(0.3)
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.conversation()[-1] == ("agent", "we have ten")


async def test_a_result_that_comes_under_suspicion_waits_for_the_floor(autojump_clock: object) -> None:
    script = Script({"when": looking(2.0, STORY)})
    async with telephone_call(LONELY, script) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("there")
        scene.phone.cough(0.8)
        await scene.phone.hears("ten")
        await scene.phone.silence()
    assert scene.agent()[-22:] == [*STORY.split(), "we", "have", "ten"]


async def test_a_blocking_engine_that_is_slow_delays_only_the_tool(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script({"when": looking(0.1)}), offload=Inline(0.2)) as scene:
        await scene.phone.quiet()
        scene.phone.say("when")
        await scene.phone.hears("ten")
