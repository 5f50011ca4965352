from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from agentd.errors import EngineStalled, ProviderError
from agentd.messages import Frame, Hints
from agentd.offload import Inline, Threads
from agentd.providers.base import Begin, Final, Finish, Heard, RecognizerInput, RecognizerOutput
from agentd.providers.local.ear import Ears, Reading
from agentd.providers.local.pocketsphinx import Pocketsphinx
from tests.unit.providers.local.sounds import frames, phrases, speech, white

BOOKING = Hints(
    "booking",
    """#JSGF V1.0; grammar booking;
public <utterance> = <wish> [please] | <short> | (i want to | can i) (speak | talk) to (a person | someone);
<wish> = (i would like to | i want to | can i) book an appointment | see the dentist [on <day>] | [on] <day> [at <time>]
 | tomorrow [morning | afternoon] | what are your opening hours | where are you | how much is a (cleaning | filling)
 | leave a message | my name is (john | mary) [smith | jones] | are you open on <day> | i have a toothache
 | <digit> <digit> <digit> <digit> <digit> <digit> <digit>;
<day> = monday | tuesday | wednesday | thursday | friday | saturday | sunday;
<time> = half past <hour> | <hour> [thirty | o'clock];
<hour> = one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve;
<digit> = zero | oh | one | two | three | four | five | six | seven | eight | nine;
<short> = yes | no | yes please | no thanks | okay | uh huh | right | stop | wait | hello | goodbye | hold on | sorry
 | say that again | never mind;
""",
)
YES_NO = Hints("yes_no", "#JSGF V1.0; grammar yn; public <utterance> = yes please | no thanks | never mind;")


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears()


@asynccontextmanager
async def listening(
    engine: Pocketsphinx, rate: int = 16000
) -> AsyncIterator[tuple[Callable[[RecognizerInput], None], trio.MemoryReceiveChannel[RecognizerOutput]]]:
    """A session under way: what to send to it, and what it reports."""
    send, audio = trio.open_memory_channel[RecognizerInput](10_000)
    report, reports = trio.open_memory_channel[RecognizerOutput](10_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.session, rate, audio, report.send)
        yield send.send_nowait, reports
        nursery.cancel_scope.cancel()


async def utter(
    engine: Pocketsphinx, pcms: list[bytes], hints: Hints = BOOKING, rate: int = 16000
) -> tuple[list[list[Heard]], list[Final]]:
    """What a session makes of one utterance after another."""
    heard: list[list[Heard]] = []
    finals: list[Final] = []
    async with listening(engine, rate) as (send, reports):
        for number, pcm in enumerate(pcms):
            send(Begin(number, hints))
            for frame in frames(pcm, rate):
                send(Frame(0, 0.0, frame))
            send(Finish(number))
            heard.append([])
            async for report in reports:
                match report:
                    case Final():
                        finals.append(report)
                        break
                    case Heard():
                        heard[-1].append(report)
    return heard, finals


async def test_phrases_of_the_grammar_are_heard_and_mostly_surely(ears: Ears) -> None:
    wanted = phrases("in")
    heard, finals = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [speech(stem) for stem, _ in wanted])
    assert sum(final.text == words for final, (_, words) in zip(finals, wanted, strict=True)) >= 13
    assert sum(final.sure for final in finals) >= 13
    assert all(final.text == words for final, (_, words) in zip(finals, wanted, strict=True) if final.sure)
    assert sum(any(part.sure for part in parts) for parts in heard) >= 8


@pytest.mark.slow  # 24 recordings, 60 s of speech
async def test_what_is_no_phrase_of_the_flow_never_comes_back_as_sure_words(ears: Ears) -> None:
    wanted = phrases("out")
    assert len(wanted) >= 20
    heard, finals = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [speech(stem) for stem, _ in wanted])
    assert len(finals) == len(wanted)
    assert [final for final in finals if final.sure] == []
    assert sum(bool(final.text) for final in finals) >= 10  # the grammar did answer: it was the check that doubted
    invented = [
        (words, part.text)
        for (_, words), parts in zip(wanted, heard, strict=True)
        for part in parts
        if part.sure and not words.startswith(part.text)
    ]
    assert len({words for words, _ in invented}) <= 1, invented


async def test_hold_on_a_second_is_no_appointment(ears: Ears) -> None:
    flow = Hints("flow", "#JSGF V1.0; grammar f; public <u> = book an appointment | see the dentist | leave a message;")
    heard, finals = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [speech("out-01")], flow)
    assert not any(part.sure for part in [*heard[0], *finals])


async def test_a_line_of_8_khz_is_heard_too(ears: Ears) -> None:
    wanted = phrases("in")[:6]
    engine = Pocketsphinx(Inline(), most=1, ears=ears)
    _, finals = await utter(engine, [speech(stem, 8000) for stem, _ in wanted], rate=8000)
    assert sum(final.text == words for final, (_, words) in zip(finals, wanted, strict=True)) >= 5


async def test_exact_silence_and_noise_have_no_sure_words(ears: Ears) -> None:
    _, finals = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [bytes(64000), white(-30, 1), b""])
    assert [final.utterance for final in finals] == [0, 1, 2]
    assert not any(final.sure for final in finals)


async def test_words_are_reported_only_when_they_change(ears: Ears) -> None:
    heard, _ = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [speech("in-01")])
    assert len(heard[0]) >= 3
    assert all((a.text, a.sure) != (b.text, b.sure) for a, b in zip(heard[0], heard[0][1:], strict=False))


async def test_the_grammar_is_the_one_the_utterance_began_with(ears: Ears) -> None:
    engine = Pocketsphinx(Inline(), most=1, ears=ears)
    texts = []
    for hints in (BOOKING, YES_NO, BOOKING):
        _, finals = await utter(engine, [speech("in-11"), speech("in-02")], hints)
        texts.append([final.text for final in finals])
    assert texts[0] == texts[2] == ["yes please", "see the dentist on tuesday"]
    assert texts[1][0] == "yes please"
    assert texts[1][1] != "see the dentist on tuesday"


async def test_two_grammars_of_one_name_are_two(ears: Ears) -> None:
    engine = Pocketsphinx(Inline(), most=1, ears=ears)
    await utter(engine, [speech("in-11")], Hints("same", YES_NO.grammar))
    _, finals = await utter(engine, [speech("in-02")], Hints("same", BOOKING.grammar))
    assert finals[0].text == "see the dentist on tuesday"


async def test_without_a_grammar_the_small_one_is_used(ears: Ears) -> None:
    _, finals = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [speech("in-11")], Hints())
    assert (finals[0].text, finals[0].sure) == ("yes please", True)


async def test_more_grammars_than_a_decoder_keeps_do_no_harm(ears: Ears) -> None:
    engine = Pocketsphinx(Inline(), most=1, ears=ears)
    for number in range(35):
        await utter(engine, [b""], Hints(f"state {number}", YES_NO.grammar))
    _, finals = await utter(engine, [speech("in-11")], Hints("state 0", YES_NO.grammar))
    assert finals[0].text == "yes please"


async def test_a_name_that_no_dictionary_has_is_heard_by_rule(ears: Ears) -> None:
    grammar = "#JSGF V1.0; grammar n; public <u> = i have a toothache | see zobroviak | see młynarczyk;"
    _, finals = await utter(Pocketsphinx(Inline(), most=1, ears=ears), [speech("in-08")], Hints("names", grammar))
    assert finals[0].text == "i have a toothache"


async def test_a_grammar_that_is_none_is_a_provider_error_that_names_it(ears: Ears) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ProviderError, match="'broken'")):
        await utter(Pocketsphinx(Inline(), most=1, ears=ears), [b""], Hints("broken", "this is no grammar"))


async def test_a_finish_without_a_begin_has_its_final_too(ears: Ears) -> None:
    async with listening(Pocketsphinx(Inline(), most=1, ears=ears)) as (send, reports):
        send(Frame(0, 0.0, bytes(640)))
        send(Finish(7))
        assert await reports.receive() == Final(7, "", sure=False)


async def test_two_calls_at_once_hear_what_each_hears_alone(ears: Ears) -> None:
    stems = ["in-01", "in-02", "out-02"]
    pcms = [speech(stem) for stem in stems]
    alone = await utter(Pocketsphinx(Threads(), most=1, ears=ears), pcms)
    engine = Pocketsphinx(Threads(), most=2, ears=ears)
    both: list[object] = []

    async def call() -> None:
        both.append(await utter(engine, pcms))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        nursery.start_soon(call)
    assert both == [alone, alone]


async def test_a_session_more_than_may_run_is_refused(ears: Ears) -> None:
    engine = Pocketsphinx(Inline(), most=1, ears=ears)
    async with listening(engine) as (send, reports):
        send(Finish(1))
        await reports.receive()
        _, audio = trio.open_memory_channel[RecognizerInput](1)
        report, _ = trio.open_memory_channel[RecognizerOutput](1)
        with pytest.raises(ProviderError, match="in use"):
            await engine.session(16000, audio, report.send)
    await utter(engine, [b""])


class FakeEar:
    """An ear that notes who uses it."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.number = self.made
        self.fails = False
        self.readied = 0

    def fresh(self, rate: int) -> None:
        self.readied += 1

    def begin(self, hints: Hints) -> None:
        if self.fails:
            raise RuntimeError("Failed to start utterance")

    def hear(self, pcm: bytes) -> Reading:
        return Reading(str(self.number), True)

    def finish(self) -> Reading:
        return Reading(str(self.number), True)


@pytest.fixture
def fakes() -> list[FakeEar]:
    FakeEar.made = 0
    return []


def pool(fakes: list[FakeEar], offload: Inline) -> Pocketsphinx:
    def make() -> FakeEar:
        fakes.append(FakeEar())
        return fakes[-1]

    return Pocketsphinx(offload, warm=1, most=2, ears=make)  # type: ignore[arg-type]


async def test_a_stalled_decoder_ends_its_session_and_is_replaced(autojump_clock: MockClock, fakes: list[FakeEar]) -> None:
    offload = Inline()
    engine = pool(fakes, offload)
    with pytest.RaisesGroup(pytest.RaisesExc(EngineStalled)):
        async with listening(engine) as (send, _):
            await trio.testing.wait_all_tasks_blocked()
            offload.delay = 60.0
            send(Begin(1, BOOKING))
            await trio.sleep_forever()
    offload.delay = 0.0
    _, finals = await utter(engine, [b""])
    assert finals[0].text == "2"
    assert len(fakes) == 2


async def test_a_decoder_whose_session_was_cancelled_in_a_hop_is_not_used_again(
    autojump_clock: MockClock, fakes: list[FakeEar]
) -> None:
    offload = Inline()
    engine = pool(fakes, offload)
    async with listening(engine) as (send, _):
        await trio.testing.wait_all_tasks_blocked()
        offload.delay = 1.0
        send(Begin(1, BOOKING))
        await trio.testing.wait_all_tasks_blocked()
    offload.delay = 0.0
    _, finals = await utter(engine, [b""])
    assert finals[0].text == "2"


async def test_a_decoder_is_given_back_after_a_call_and_readied_for_the_next(fakes: list[FakeEar]) -> None:
    engine = pool(fakes, Inline())
    for _ in range(3):
        await utter(engine, [b""])
    assert len(fakes) == 1
    assert fakes[0].readied == 3


async def test_what_pocketsphinx_raises_is_a_provider_error(fakes: list[FakeEar]) -> None:
    engine = pool(fakes, Inline())
    fakes[0].fails = True
    with pytest.RaisesGroup(pytest.RaisesExc(ProviderError, match="Failed to start")):
        await utter(engine, [b""])
    _, finals = await utter(engine, [b""])
    assert finals[0].text == "2"


def test_stalled_threads_share_nothing_with_new_sessions() -> None:
    """Two ears work at once in two threads: neither holds a lock of the other's."""
    ears = Ears()
    results: list[Reading] = []

    def work() -> None:
        ear = ears()
        ear.begin(BOOKING)
        ear.hear(speech("in-02"))
        results.append(ear.finish())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.text for result in results] == ["see the dentist on tuesday"] * 2
