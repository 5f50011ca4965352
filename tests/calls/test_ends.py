"""How calls end: transfers, goodbyes, hang-ups, drains, stalls, in every state; and what an end leaves behind."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest
import trio

from agentd.flow.lines import DRAIN
from agentd.messages import Fire
from agentd.turn.value import State
from tests.calls.harness import Scene, telephone_call
from tests.calls.script import HELPED, LONELY, STORY, Answer, Round, Script, failure, tool
from tests.fakes import speech

SCRIPT_ANSWERS: dict[str, Answer] = {
    "think": Round("too late", delay=10),
    "tell me": STORY,
    "look": (Round(proposals=tool("look_up", seconds=7.5)), Round("we have ten")),
    "person": (Round(proposals=(Fire("wants_human"),)), Round("hold the line while i connect you")),
    "goodbye": (Round(proposals=(Fire("wants_end"),)), Round("goodbye then")),
}
LAST_STATE = {"transferring", "closing"}


def script() -> Script:
    """Answers, and breaks for good when it is told to."""
    return Script(SCRIPT_ANSWERS, crash=lambda request: failure() if request.text == "break" else None)


async def say(scene: Scene, words: str) -> None:
    await scene.phone.quiet()
    scene.phone.say(words)


async def _connecting(scene: Scene) -> None:
    await trio.sleep(0.1)


async def _greeting(scene: Scene) -> None:
    await scene.phone.hears("welcome")


async def _listening(scene: Scene) -> None:
    await scene.phone.quiet()


async def _deliberating(scene: Scene) -> None:
    await say(scene, "think")


async def _speaking(scene: Scene) -> None:
    await say(scene, "tell me")
    await scene.phone.hears("time")


async def _yielding(scene: Scene) -> None:
    await _speaking(scene)
    scene.phone.cough(0.5)


async def _waiting(scene: Scene) -> None:
    await say(scene, "look")


async def _prompting(scene: Scene) -> None:
    await scene.phone.hears("are")


async def _transferring(scene: Scene) -> None:
    await say(scene, "break")
    await scene.phone.hears("sorry")


async def _closing(scene: Scene) -> None:
    await scene.phone.hears("thanks", limit=60)


WAYS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "connecting": _connecting,
    "greeting": _greeting,
    "listening": _listening,
    "deliberating": _deliberating,
    "speaking": _speaking,
    "yielding": _yielding,
    "waiting": _waiting,
    "prompting": _prompting,
    "transferring": _transferring,
    "closing": _closing,
}
EACH_STATE = pytest.mark.parametrize("state", list(WAYS))


async def bring(scene: Scene, state: str) -> None:
    """Talk until the call is in the state."""
    await WAYS[state](scene)
    await scene.reaches(state)


def test_every_state_but_the_last_is_tried() -> None:
    assert [*WAYS, "ended"] == [state.value for state in State]


@EACH_STATE
async def test_a_caller_may_hang_up_in_any_state(autojump_clock: object, state: str) -> None:
    async with telephone_call(HELPED, script()) as scene:
        await bring(scene, state)
        scene.phone.hang_up()
        began = trio.current_time()
        await scene.over.wait()
        assert trio.current_time() - began < 1
    assert scene.outcome == "hangup"
    assert scene.log.states()[-1] == "ended"
    assert scene.handed_over == []


@EACH_STATE
async def test_the_switch_may_ask_for_a_graceful_end_in_any_state(autojump_clock: object, state: str) -> None:
    async with telephone_call(HELPED, script()) as scene:
        await bring(scene, state)
        scene.phone.ask_shutdown()
        began = trio.current_time()
        await scene.over.wait()
        assert trio.current_time() - began < 2
    assert scene.outcome == "hangup"
    assert scene.socket.code == 1000


@EACH_STATE
async def test_a_drain_in_any_state_ends_the_call_politely(autojump_clock: object, state: str) -> None:
    async with telephone_call(HELPED, script()) as scene:
        await bring(scene, state)
        scene.call.drain()
        began = trio.current_time()
        await scene.over.wait()
        assert trio.current_time() - began < 12
    assert scene.outcome == {"transferring": "transferred", "closing": "silence"}.get(state, "drained")
    assert scene.socket.code == 1000
    if state not in {"connecting", *LAST_STATE}:
        assert scene.conversation()[-1] == ("agent", DRAIN)


@EACH_STATE
async def test_media_that_stalls_ends_the_call_in_any_state(autojump_clock: object, state: str) -> None:
    async with telephone_call(HELPED, script()) as scene:
        await bring(scene, state)
        scene.phone.muted = True
        began = trio.current_time()
        await scene.over.wait()
        assert trio.current_time() - began < 11.5
    expected = {"connecting": "no_audio", "transferring": "transferred", "closing": "silence"}
    assert scene.outcome == expected.get(state, "stalled")


async def test_a_socket_without_any_audio_is_closed(autojump_clock: object) -> None:
    async with telephone_call(LONELY, Script()) as scene:
        scene.phone.muted = True
        await scene.over.wait()
        assert trio.current_time() < 6.1
    assert scene.outcome == "no_audio"
    assert scene.phone.sentence() == ""


async def test_a_gap_in_the_media_shorter_than_the_limit_is_survived(autojump_clock: object) -> None:
    call_script = Script()
    async with telephone_call(LONELY, call_script) as scene:
        await scene.phone.quiet()
        scene.phone.muted = True
        await trio.sleep(5)
        scene.phone.muted = False
        scene.phone.say("here i am again")
        await scene.phone.hears("again")
    assert call_script.asked() == ["here i am again"]


# ── Transfers and goodbyes ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_transfer_is_stored_before_the_socket_closes_with_1000(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "person")
        await scene.over.wait()
    # The harness asserts, when the next step is stored, that the socket still stands.
    [(memory, why)] = scene.handed_over
    assert (memory.flow.state, why) == ("desk", "flow")
    assert memory.conversation[-1].text == "hold the line while i connect you"
    assert (scene.outcome, scene.socket.code) == ("transferred", 1000)
    assert scene.untold() == []


async def test_a_caller_may_interrupt_the_words_before_a_transfer(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "person")
        await scene.phone.hears("line")
        scene.phone.say("no wait please")
        await scene.phone.hears("said")
        assert scene.handed_over == []
    assert scene.caller()[-1] == "no wait please"


async def test_a_caller_who_hangs_up_before_a_transfer_is_not_transferred(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "person")
        await scene.phone.hears("line")
        scene.phone.hang_up()
        await scene.over.wait()
    assert (scene.outcome, scene.handed_over) == ("hangup", [])


async def test_the_flows_goodbye_is_heard_whole_before_the_line_drops(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "goodbye")
        await scene.over.wait()
    assert scene.phone.heard()[-2:] == ["goodbye", "then"]
    assert (scene.outcome, scene.socket.code) == ("completed", 1000)


async def test_a_caller_who_hangs_up_after_the_goodbye_has_completed_the_call(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "goodbye")
        await scene.reaches("closing")
        scene.phone.hang_up()
        await scene.over.wait()
    assert scene.outcome == "completed"


async def test_the_goodbye_may_be_interrupted_and_the_call_goes_on(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "goodbye")
        await scene.phone.hears("goodbye")
        scene.phone.say("wait one more thing")
        await scene.phone.hears("thing")
    assert scene.caller()[-1] == "wait one more thing"


async def test_a_word_behind_the_flows_goodbye_is_answered(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "goodbye")
        await scene.reaches("closing")
        scene.phone.say("wait one more thing")
        await scene.phone.hears("thing")
    assert scene.caller()[-1] == "wait one more thing"


async def test_a_cough_behind_the_goodbye_does_not_keep_the_call(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await say(scene, "goodbye")
        await scene.reaches("closing")
        scene.phone.cough(0.3)
        await scene.over.wait()
    assert scene.outcome == "completed"


async def test_the_drains_words_may_not_be_interrupted(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await scene.phone.quiet()
        scene.call.drain()
        await scene.phone.hears("sorry")
        scene.phone.say("wait do not go away")
        await scene.over.wait()
    assert scene.conversation()[-1] == ("agent", DRAIN)
    assert scene.outcome == "drained"


# ── What an end leaves behind ────────────────────────────────────────────────────────────────────────────────────────


@EACH_STATE
async def test_a_call_leaves_no_task_no_detector_and_no_memory_behind(autojump_clock: object, state: str) -> None:
    detectors: list[bool] = []

    class Detector(speech.LoudnessVad):
        def close(self) -> None:
            detectors.append(True)

    tasks = trio.lowlevel.current_statistics().tasks_living
    async with telephone_call(HELPED, script(), vad=lambda rate: Detector()) as scene:
        await bring(scene, state)
        scene.phone.hang_up()
        await scene.over.wait()
        sockets = scene.socket.to_daemon.statistics()
    assert detectors == [True]
    assert sockets.open_receive_channels == 0
    assert scene.socket.from_daemon.statistics().open_send_channels == 0
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    call = weakref.ref(scene.call)
    del scene
    await trio.lowlevel.checkpoint()
    gc.collect()
    assert call() is None


async def test_a_call_that_is_cancelled_leaves_nothing_behind(autojump_clock: object) -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    with trio.CancelScope() as scope:
        async with telephone_call(LONELY, script()) as scene:
            await bring(scene, "speaking")
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert trio.lowlevel.current_statistics().tasks_living == tasks
    assert scene.socket.code == 1000


async def test_of_two_calls_one_that_dies_leaves_the_other_untouched(autojump_clock: object) -> None:
    class Deaf(speech.LoudnessVad):
        def feed(self, pcm: bytes) -> bool:
            raise ZeroDivisionError

    first = script()
    async with telephone_call(LONELY, first, alone=False) as one:
        await bring(one, "speaking")
        async with telephone_call(LONELY, script(), alone=False, vad=lambda rate: Deaf()) as two:
            await two.over.wait()
        await one.phone.hears("town")
        await one.phone.silence()
        one.phone.say("are you still here")
        await one.phone.hears("here")
        await one.phone.silence()
    assert two.outcome == "failed"
    assert one.outcome == "hangup"
    assert one.untold() == []
    assert first.asked() == ["tell me", "are you still here"]


async def test_a_bug_in_the_conductor_ends_its_call_alone_and_closes_the_socket(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script(), alone=False) as one:
        await bring(one, "listening")
        async with telephone_call(LONELY, script(), alone=False) as two:
            await bring(two, "listening")
            two.call._boxes["conductor"].send_nowait(object())
            await two.over.wait()
        one.phone.say("are you still here")
        await one.phone.hears("here")
    assert two.outcome == "failed"
    assert two.socket.code is not None


# ── A peer that misbehaves ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("message", "outcome", "code"),
    [(bytes(300 * 1024), "oversize", 1009), ("x" * 100_000, "oversize", 1009)],
    ids=["audio", "text"],
)
async def test_a_message_that_is_too_long_ends_the_call_with_its_own_code(
    autojump_clock: object, message: str | bytes, outcome: str, code: int
) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await bring(scene, "speaking")
        scene.socket.to_daemon.send_nowait(message)
        await scene.over.wait()
    assert (scene.outcome, scene.socket.code) == (outcome, code)


async def test_metadata_that_is_not_our_documents_ends_the_call(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        scene.socket.to_daemon.send_nowait("somebody else's")
        await scene.over.wait()
    assert (scene.outcome, scene.socket.code) == ("foreign_metadata", 1008)


async def test_texts_that_nobody_knows_change_nothing(autojump_clock: object) -> None:
    async with telephone_call(LONELY, script()) as scene:
        await bring(scene, "speaking")
        for text in ("{}", "garbage", '{"type": "mark", "data": 7}', "[" * 1000, '{"event": "dtmf"}'):
            scene.socket.to_daemon.send_nowait(text)
        await scene.phone.hears("town")
        await scene.phone.silence()
        assert scene.state() == "listening"
    assert scene.untold() == []


async def test_a_peer_that_takes_no_bytes_is_given_up(autojump_clock: object, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(data: str | bytes) -> None:
        await trio.sleep_forever()

    async with telephone_call(LONELY, script()) as scene:
        await bring(scene, "listening")
        monkeypatch.setattr(scene.socket, "send", stuck)
        scene.phone.say("tell me")
        began = trio.current_time()
        await scene.over.wait()
        assert trio.current_time() - began < 9
    assert scene.outcome == "lost"
