"""Whatever a switch sends, the codec answers events or PeerError, nothing else, and loses no sample."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from agentd import limits
from agentd.carriers.media import CallerAudio, GracefulEnd, Key, LayoutKnown, MarkSeen, MediaEvent, Metadata, Unknown
from agentd.carriers.sautikit.media import SautikitMedia
from agentd.errors import PeerError

Make = Callable[[random.Random], str | bytes]

EVENTS = (LayoutKnown, CallerAudio, Metadata, MarkSeen, Key, GracefulEnd, Unknown)
WORDS = ["event", "dtmf", "type", "mark", "data", "name", "playout", "cleared", "duration", "killAudio", "m1", "5", "#"]
WORDS += ["", "\x00", "é", "\ud800"]


def audio(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 2, 3, 4, 5, 160, 319, 320, 321, 640, 1280, rng.randint(0, 3000))))


def text(rng: random.Random) -> str:
    return "".join(chr(rng.choice((rng.randint(0, 127), rng.randint(0, 0x10FFFF)))) for _ in range(rng.randint(0, 40)))


def value(rng: random.Random, depth: int = 0) -> object:
    match rng.randint(0, 8 if depth < 4 else 5):
        case 0 | 1 | 2:
            return rng.choice(WORDS)
        case 3:
            return rng.choice((None, True, False, 0, -1, 1e308, 10**30))
        case 4 | 5:
            return text(rng)
        case 6:
            return [value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
        case _:
            return {rng.choice(WORDS): value(rng, depth + 1) for _ in range(rng.randint(0, 4))}


def shapes(rng: random.Random) -> str:
    return "".join(json.dumps(value(rng)) for _ in range(rng.randint(1, 4)))


def broken(rng: random.Random) -> str:
    whole = rng.choice(
        (
            '{"event":"dtmf","dtmf":"5","duration":1600}',
            '{"type":"mark","data":{"name":"m1","event":"playout"}}',
            '{"type":"playDone","data":{"id":"x"}}{"type":"json"}',
        )
    )
    place = rng.randint(0, len(whole))
    return rng.choice((whole[:place], whole[place:], whole[:place] + text(rng) + whole[place:], whole * rng.randint(1, 30)))


def huge(rng: random.Random) -> str | bytes:
    return rng.choice(("[" * 60_000, "x" * 70_000, "{}" * 30_000, bytes(limits.MAX_MEDIA_MESSAGE + 1), " " * 65_536))


FAMILIES: list[tuple[Make, int]] = [(audio, 100), (text, 40), (shapes, 40), (broken, 40), (huge, 1)]


def codec(rng: random.Random) -> SautikitMedia:
    rate = rng.choice((8000, 16000))
    return SautikitMedia(
        rate,
        rng.choice(("sautikit", "jambonz")),
        rng.choice(("inbound_track", "outbound_track", "both_tracks")),
        rng.choice(("auto", "mono", "stereo")),
        rng.choice((None, 8000, rate)),
    )


def check(events: list[MediaEvent]) -> None:
    for event in events:
        assert isinstance(event, EVENTS)
        match event:
            case CallerAudio(pcm):
                assert type(pcm) is bytes
                assert pcm
                assert len(pcm) % 2 == 0
            case Unknown(what):
                assert what.isprintable()
                assert what.isascii()
                assert 0 < len(what) < 100
            case LayoutKnown(channels):
                assert channels in (1, 2)


def test_fifty_thousand_messages_give_events_or_a_peer_error() -> None:
    rng = random.Random(20261120)
    makes, weights = zip(*FAMILIES, strict=True)
    messages = 0
    ends = []
    while messages < 50_000:
        subject, at, known, sounded = codec(rng), 0.0, False, False
        for make in rng.choices(makes, weights, k=rng.randint(1, 100)):
            data = make(rng)
            at += rng.choice((0.0, 0.0001, 0.02, 0.02, 0.02, 0.3, -0.01))
            messages += 1
            try:
                events = subject.receive(data, at)
            except PeerError as error:
                ends.append((error.close_code, error.outcome))
                break
            check(events)
            for event in events:
                assert not (isinstance(event, LayoutKnown) and known)
                assert not (isinstance(event, CallerAudio) and not known and not isinstance(events[0], LayoutKnown))
                assert not (isinstance(event, Metadata) and sounded)
                known = known or isinstance(event, LayoutKnown)
            sounded = sounded or (isinstance(data, bytes) and bool(data))
    assert len(ends) > 50
    assert set(ends) == {(1009, "oversize")}


@pytest.mark.parametrize("channels", ["mono", "stereo"])
def test_audio_split_at_every_byte_has_the_samples_of_the_whole(channels: str) -> None:
    whole = random.Random(1).randbytes(1284)

    def heard(*parts: bytes) -> bytes:
        subject = SautikitMedia(8000, "sautikit", channels=channels)  # type: ignore[arg-type]
        events = [event for part in parts if part for event in subject.receive(part, 0.0)]
        check(events)
        return b"".join(event.pcm for event in events if isinstance(event, CallerAudio))

    expected = heard(whole)
    assert len(expected) == (1284 if channels == "mono" else 642)
    for place in range(len(whole) + 1):
        assert heard(whole[:place], whole[place:]) == expected
    assert heard(*(whole[i : i + 1] for i in range(len(whole)))) == expected


def test_documents_split_at_every_character_are_never_fatal() -> None:
    whole = '{"event":"dtmf","dtmf":"5"}{"type":"mark","data":{"name":"m1","event":"cleared"}} {"type":"x"}'
    for place in range(len(whole) + 1):
        subject = SautikitMedia(8000, "jambonz", leg_rate=8000)
        subject.receive("token", 0.0)
        check(subject.receive(whole[:place], 0.0))
        check(subject.receive(whole[place:], 0.0))


def test_outgoing_audio_never_holds_a_mark_and_changes_nothing_else() -> None:
    rng = random.Random(2)
    subject = SautikitMedia(8000, "jambonz", leg_rate=8000)
    for _ in range(2000):
        pcm = bytes(rng.choices((0xFF, 0xFE, 0x00, 0x7F), k=2 * rng.randint(0, 200)))
        out = memoryview(subject.audio(pcm)).cast("h").tolist()
        assert out == [-2 if sample == -1 else sample for sample in memoryview(pcm).cast("h").tolist()]
