"""Sautikit's media dialect: layouts, odd lengths, texts, marks."""

from __future__ import annotations

import json
import random
from array import array

import pytest

from agentd import limits
from agentd.carriers.media import (
    CallerAudio,
    GracefulEnd,
    Key,
    LayoutKnown,
    MarkSeen,
    MediaCodec,
    MediaEvent,
    Metadata,
    Unknown,
)
from agentd.carriers.sautikit.media import TEXT_BYTES, SautikitMedia
from agentd.errors import PeerError


def pcm(*samples: int) -> bytes:
    return array("h", samples).tobytes()


def audio_of(events: list[MediaEvent]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, CallerAudio))


def stream(codec: SautikitMedia, frames: list[tuple[bytes, float]]) -> list[tuple[float, MediaEvent]]:
    return [(at, event) for data, at in frames for event in codec.receive(data, at)]


def paced(channels: int, rate: int = 8000, n: int = 60, t0: float = 100.0) -> list[tuple[bytes, float]]:
    size = rate // 50 * 2 * channels
    return [(bytes([i % 250]) * size, t0 + 0.02 * i) for i in range(n)]


def layout_of(events: list[tuple[float, MediaEvent]]) -> tuple[float, LayoutKnown]:
    [(at, layout)] = [(at, event) for at, event in events if isinstance(event, LayoutKnown)]
    return at, layout


def test_it_meets_the_protocol() -> None:
    codec: MediaCodec = SautikitMedia(8000, "sautikit")
    assert codec.rate == 8000


# ── Layout ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_layout_is_known_early_when_nothing_contradicts_it_and_no_sample_is_lost(rate: int, channels: int) -> None:
    frames = paced(channels, rate)
    events = stream(SautikitMedia(rate, "sautikit"), frames)
    at, layout = layout_of(events)
    assert layout.channels == channels
    assert at - 100.0 <= limits.CHANNEL_DETECT_S
    assert isinstance(events[0][1], LayoutKnown)
    whole = b"".join(data for data, _ in frames)
    expected = whole if channels == 1 else memoryview(whole).cast("h")[::2].tobytes()
    assert audio_of([event for _, event in events]) == expected


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("queued", [1, 5, 25, 100])
@pytest.mark.parametrize("late", [0.0, 0.06, 0.15])
def test_a_burst_of_queued_audio_does_not_make_mono_stereo(channels: int, queued: int, late: float) -> None:
    frame = bytes(320 * channels)
    burst = [(frame, 100.0 + late + i * 0.0003) for i in range(queued)]
    frames = [(frame, 100.0), *burst, *paced(channels, t0=100.0 + late + 0.04)]
    at, layout = layout_of(stream(SautikitMedia(8000, "sautikit"), frames))
    assert layout.channels == channels
    assert at - 100.0 <= limits.CHANNEL_DETECT_S + 0.021


@pytest.mark.parametrize("channels", [1, 2])
def test_one_fat_queued_frame_does_not_move_the_layout(channels: int) -> None:
    frames = [(bytes(320 * channels * 80), 100.0), *paced(channels, t0=100.015)]
    assert layout_of(stream(SautikitMedia(8000, "sautikit"), frames))[1].channels == channels


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("every", [2, 5, 7])
def test_audio_that_comes_in_lumps_is_told_apart(channels: int, every: int) -> None:
    frames = [(bytes(320 * channels), 100.0 + 0.02 * every * (i // every) + 0.0002 * (i % every)) for i in range(80)]
    assert layout_of(stream(SautikitMedia(8000, "sautikit"), frames))[1].channels == channels


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("stall", [0.1, 0.3, 0.49])
def test_a_stall_in_the_middle_does_not_move_the_layout(channels: int, stall: float) -> None:
    frames = paced(channels)
    stalled = [(data, at if at < 100.01 else max(at, 100.01 + stall + 0.0001 * i)) for i, (data, at) in enumerate(frames)]
    at, layout = layout_of(stream(SautikitMedia(8000, "sautikit"), stalled))
    assert layout.channels == channels
    assert at - 100.0 <= 2 * limits.CHANNEL_DETECT_S


@pytest.mark.parametrize("channels", [1, 2])
def test_a_trickle_slower_than_mono_decides_nothing_until_the_rest_has_come(channels: int) -> None:
    frame = bytes(320 * channels)
    late = [(frame, 100.55 + 0.0001 * i) for i in range(26)]
    frames = [(frame, 100.0), (frame, 100.3), *late, *paced(channels, t0=100.57)]
    assert layout_of(stream(SautikitMedia(8000, "sautikit"), frames))[1].channels == channels


@pytest.mark.parametrize("channels", [1, 2])
def test_jittered_arrival_is_told_apart(channels: int) -> None:
    for seed in range(200):
        rng = random.Random(seed)
        arrivals = sorted(100.0 + 0.02 * i + rng.expovariate(1 / 0.015) for i in range(80))
        frames = [(bytes(320 * channels), at) for at in arrivals]
        assert layout_of(stream(SautikitMedia(8000, "sautikit"), frames))[1].channels == channels, seed


@pytest.mark.parametrize("channels", [1, 2])
def test_frames_of_odd_lengths_are_told_apart(channels: int) -> None:
    rng = random.Random(7)
    frames = [(bytes(int(16 * step * channels) | 1), 0.0) for step in (rng.randint(5, 60) for _ in range(80))]
    at, timed = 0.0, []
    for data, _ in frames:
        at += len(data) / (16000 * channels)
        timed.append((data, at))
    assert layout_of(stream(SautikitMedia(8000, "sautikit"), timed))[1].channels == channels


def test_a_burst_and_then_one_late_frame_decide_nothing_early() -> None:
    codec = SautikitMedia(8000, "sautikit")
    for i in range(10):
        assert codec.receive(bytes(320), 100.0 + 0.006 * i) == []
    assert codec.receive(bytes(320), 100.3) == []


def test_what_the_operator_knows_is_not_guessed() -> None:
    codec = SautikitMedia(8000, "sautikit", channels="stereo")
    assert codec.receive(pcm(1, 2, 3, 4), 0.0) == [LayoutKnown(2, mixed=False), CallerAudio(pcm(1, 3))]
    assert codec.receive(pcm(5, 6), 0.02) == [CallerAudio(pcm(5))]


def test_mono_of_both_tracks_is_mixed_and_the_advice_names_the_attribute() -> None:
    codec = SautikitMedia(8000, "sautikit", track="both_tracks", channels="mono")
    [layout, _] = codec.receive(bytes(320), 0.0)
    assert isinstance(layout, LayoutKnown)
    assert layout.mixed
    assert 'track = "inbound_track"' in layout.advice


def test_stereo_of_both_tracks_and_mono_of_the_callers_own_are_not_mixed() -> None:
    for track, channels in (("both_tracks", "stereo"), ("inbound_track", "mono")):
        codec = SautikitMedia(8000, "sautikit", track=track, channels=channels)  # type: ignore[arg-type]
        [layout, _] = codec.receive(bytes(320), 0.0)
        assert layout == LayoutKnown(1 if channels == "mono" else 2, mixed=False)


def test_audio_that_floods_in_before_the_layout_is_known_is_not_held_for_ever() -> None:
    codec = SautikitMedia(8000, "sautikit")
    out = [event for _ in range(10) for event in codec.receive(bytes(64_000), 0.0)]
    assert isinstance(out[0], LayoutKnown)
    assert len(codec._held) <= 6 * 8000 * 4


# ── Lengths ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("channels", ["mono", "stereo"])
def test_a_stream_split_anywhere_has_the_same_samples(channels: str) -> None:
    rng = random.Random(3)
    whole = rng.randbytes(3000)
    for _ in range(50):
        codec = SautikitMedia(8000, "sautikit", channels=channels)  # type: ignore[arg-type]
        events, place = [], 0
        while place < len(whole):
            step = rng.randint(1, 70)
            events += codec.receive(whole[place : place + step], 0.0)
            place += step
        assert audio_of(events) == (whole if channels == "mono" else memoryview(whole).cast("h")[::2].tobytes())
        assert all(event.pcm and len(event.pcm) % 2 == 0 for event in events if isinstance(event, CallerAudio))


def test_an_empty_frame_asks_for_a_graceful_end() -> None:
    assert SautikitMedia(8000, "sautikit").receive(b"", 0.0) == [GracefulEnd()]


def test_an_empty_frame_lets_go_of_what_was_held_back_first() -> None:
    codec = SautikitMedia(8000, "sautikit")
    assert codec.receive(pcm(1, 2), 0.0) == []
    assert codec.receive(b"", 0.02) == [LayoutKnown(1, mixed=False), CallerAudio(pcm(1, 2)), GracefulEnd()]


def test_two_seconds_of_the_fattest_audio_pass_and_a_byte_more_closes_with_1009() -> None:
    for warm in (False, True):
        codec = SautikitMedia(64000, "sautikit", channels="mono")
        if warm:
            codec.receive(bytes(320), 0.0)
        codec.receive(bytes(limits.MAX_MEDIA_MESSAGE), 0.0)
        with pytest.raises(PeerError) as caught:
            codec.receive(bytes(limits.MAX_MEDIA_MESSAGE + 2), 0.0)
        assert (caught.value.close_code, caught.value.outcome) == (1009, "oversize")


# ── Texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_text_before_audio_is_opaque_metadata() -> None:
    for text in ("a token, no JSON", "{not json", '{"event":"dtmf","dtmf":"5"}', "[1,2]", ""):
        assert SautikitMedia(8000, "jambonz").receive(text, 0.0) == [Metadata(text)]


def test_no_metadata_at_all_is_fine_and_a_text_after_audio_is_none() -> None:
    codec = SautikitMedia(8000, "jambonz", channels="mono")
    codec.receive(bytes(320), 0.0)
    assert codec.receive('{"event":"dtmf","dtmf":"5"}', 0.1) == [Key("5")]
    held = SautikitMedia(8000, "jambonz")
    held.receive(bytes(320), 0.0)
    assert held.receive('{"event":"dtmf","dtmf":"5"}', 0.1) == [Key("5")]


def test_documents_glued_to_the_metadata_are_events() -> None:
    glued = '{"token":"x"}{"event":"dtmf","dtmf":"#"} {"type":"playDone"}'
    events = SautikitMedia(8000, "jambonz").receive(glued, 0.0)
    assert events == [Metadata('{"token":"x"}'), Key("#"), Unknown("JSON playDone")]


def test_glued_documents_are_taken_apart_and_the_garbage_behind_them_is_unknown() -> None:
    codec = SautikitMedia(8000, "jambonz", leg_rate=8000)
    codec.receive("token", 0.0)
    text = '{"event":"dtmf","dtmf":"a"}{"type":"mark","data":{"name":"m","event":"cleared"}}\n{"x'
    key, mark, unknown = codec.receive(text, 0.0)
    assert (key, mark) == (Key("A"), MarkSeen("m", cleared=True))
    assert isinstance(unknown, Unknown)


@pytest.mark.parametrize(
    "text",
    ["garbage", "\x00", "{", "[" * 60_000, "9" * 5000, '{"type":5}', '{"event":"dtmf","dtmf":"12"}',
     '{"event":"dtmf","dtmf":5}', '{"type":"mark"}', '{"type":"mark","data":[]}', '"text"', "null", "{}" * 20_000, " " * 60_000,
     '{"type":"\u202e\\u0000"}'],
)  # fmt: skip
def test_unknown_text_is_counted_and_never_fatal(text: str) -> None:
    codec = SautikitMedia(8000, "jambonz", leg_rate=8000)
    codec.receive("token", 0.0)
    events = codec.receive(text, 0.0)
    assert events
    for event in events:
        assert isinstance(event, Unknown)
        assert len(event.what) < 100
        assert event.what.isprintable()
    assert len(events) <= 17


def test_a_text_beyond_64_kib_closes_with_1009() -> None:
    codec = SautikitMedia(8000, "sautikit")
    codec.receive("x" * TEXT_BYTES, 0.0)
    for text in ("x" * (TEXT_BYTES + 1), "é" * (TEXT_BYTES // 2 + 1)):
        with pytest.raises(PeerError) as caught:
            codec.receive(text, 0.0)
        assert (caught.value.close_code, caught.value.outcome) == (1009, "oversize")


# ── Dialects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sautikit_is_trusted_with_nothing_that_it_does_not_document() -> None:
    codec = SautikitMedia(8000, "sautikit", leg_rate=8000)
    capabilities = codec.capabilities
    assert (capabilities.acks, capabilities.clear, capabilities.dtmf) == (False, False, False)
    assert codec.mark("m") is None
    assert json.loads(codec.clear()) == {"type": "killAudio"}
    codec.receive("token", 0.0)
    for text in ('{"event":"dtmf","dtmf":"5"}', '{"type":"mark","data":{"name":"m","event":"playout"}}'):
        assert isinstance(codec.receive(text, 0.0)[0], Unknown)
    assert codec.audio(pcm(-1, 1)) == pcm(-1, 1)


def test_jambonz_answers_marks_where_the_leg_has_our_rate() -> None:
    codec = SautikitMedia(8000, "jambonz", leg_rate=8000)
    assert (codec.capabilities.acks, codec.capabilities.clear, codec.capabilities.dtmf) == (True, True, True)
    assert json.loads(codec.mark("m1") or "") == {"type": "mark", "data": {"name": "m1"}}
    codec.receive("{}", 0.0)
    assert codec.receive('{"type":"mark","data":{"name":"m1","event":"playout"}}', 0.0) == [MarkSeen("m1", cleared=False)]


def test_marks_are_not_trusted_through_a_resampler() -> None:
    codec = SautikitMedia(16000, "jambonz", leg_rate=8000)
    assert not codec.capabilities.acks
    assert codec.mark("m1") is None
    codec.receive("{}", 0.0)
    assert isinstance(codec.receive('{"type":"mark","data":{"name":"m1","event":"playout"}}', 0.0)[0], Unknown)
    assert codec.audio(pcm(-1)) == pcm(-1)


def test_no_sample_of_minus_one_goes_out_where_marks_are_used() -> None:
    codec = SautikitMedia(8000, "jambonz", leg_rate=8000)
    rng = random.Random(5)
    for _ in range(300):
        samples = [rng.choice((-1, -1, -2, 0, 255, -256, -257, 511, 32767, -32768)) for _ in range(rng.randint(1, 200))]
        assert codec.audio(pcm(*samples)) == pcm(*(-2 if sample == -1 else sample for sample in samples))


@pytest.mark.parametrize(
    ("rate", "leg", "seconds"),
    [(8000, 8000, 0.16), (16000, 8000, 0.16), (16000, 16000, 0.08),
     (8000, 16000, 0.16), (8000, None, 0.16), (16000, None, 0.16)],
)  # fmt: skip
def test_the_prebuffer_is_what_the_switch_gathers(rate: int, leg: int | None, seconds: float) -> None:
    assert SautikitMedia(rate, "sautikit", leg_rate=leg).capabilities.prebuffer == pytest.approx(seconds)
