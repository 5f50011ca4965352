"""The switch against a fake daemon, in virtual time."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import trio
import trio_websocket
from trio.testing import MockClock

from agentd.simulate.alignment import missing_samples
from agentd.simulate.audio import Samples, read_wav, rms
from agentd.simulate.call import place_call
from agentd.simulate.documents import Stream
from agentd.simulate.line import Line
from agentd.simulate.measure import measure_recording
from agentd.simulate.media import Media, Settings, Traffic
from agentd.simulate.playout import Tick
from agentd.simulate.report import CallReport
from agentd.simulate.scenario import UTTERANCES, HangUp, Interject, Key, Noise, Say, Scenario, Silence, Wait
from agentd.simulate.signing import sign
from tests.unit.simulate.fakedaemon import HANGUP, Daemon, Ear, Socket, chirp, speak, stream, tone

HOURS, WAIT, COUGH = (UTTERANCES / name for name in ("what-are-your-opening-hours.wav", "wait.wav", "cough.wav"))


async def place(daemon: Daemon, *steps: object, out: Path | None = None, **changes: object) -> CallReport:
    scenario = Scenario("test", tuple(steps), **changes)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        await nursery.start(daemon.run)
        report = await place_call(scenario, base_url=daemon.url, secret="s3cret", out=out, show=lambda _: None)
        nursery.cancel_scope.cancel()
    return report


async def silent(socket: Socket) -> None:
    await Ear(socket).run()


async def answering(socket: Socket) -> None:
    """Greets, answers once 400 ms after the caller stopped, and closes."""
    async with trio.open_nursery() as nursery:
        ear = Ear(socket)
        nursery.start_soon(ear.run)
        await speak(socket, tone(1.0))
        await ear.until_voice_ends(0.4)
        await speak(socket, tone(1.0))
        await trio.sleep(1.0)
        nursery.cancel_scope.cancel()


async def test_the_webhook_is_signed_over_its_raw_body(autojump_clock: object) -> None:
    daemon = Daemon([HANGUP], silent)
    await place(daemon, HangUp(), caller="+1555")
    headers, body = daemon.asked[0]
    stamp = headers["x-sautikit-signature"].split(",")[0].removeprefix("t=")
    assert headers["x-sautikit-signature"] == sign("s3cret", body, int(stamp))
    fields = dict(urllib.parse.parse_qsl(body.decode()))
    assert {"From": "+1555", "Direction": "inbound", "CallStatus": "ringing"}.items() <= fields.items()
    assert headers["content-type"] == "application/x-www-form-urlencoded"


async def test_after_the_stream_the_same_call_is_asked_again(autojump_clock: object) -> None:
    daemon = Daemon([stream()], answering)
    report = await place(daemon, Wait(0.7, 15), Say(HOURS), Silence(10))
    assert (report.outcome, report.why, report.streams) == ("completed", "the agent hung up", 1)
    first, second = (dict(urllib.parse.parse_qsl(body.decode())) for _, body in daemon.asked)
    assert first["CallId"] == second["CallId"] == report.call_id
    assert second["CallStatus"] == "in-progress"
    assert daemon.paths == ["/media/tok?x=1"]
    assert daemon.offered == [("audio.drachtio.org",)]


async def test_the_gap_is_taken_at_the_loudspeaker(autojump_clock: object, tmp_path: Path) -> None:
    report = await place(Daemon([stream()], answering), Wait(0.7, 15), Say(HOURS), Silence(10), out=tmp_path)
    (turn,) = report.figures.turns
    assert 0.38 <= turn.gap <= 0.50  # the fake waits 0.4 s by 20 ms steps; no prebuffer is left to wait for at 160 ms lead
    assert report.figures.interruptions == ()
    (from_file,) = measure_recording(tmp_path / "caller.wav")
    assert from_file == turn
    assert json.loads((tmp_path / "report.json").read_text())["figures"]["turns"][0]["gap"] == turn.gap
    samples, rate = read_wav(tmp_path / "caller.wav")
    assert (rate, samples.shape[1]) == (8000, 2)
    assert report.figures.holes == ()


async def test_the_metadata_comes_first_then_a_frame_each_20_ms_and_a_hang_up_ends_all(autojump_clock: object) -> None:
    ears: list[Ear] = []

    async def listen(socket: Socket) -> None:
        ears.append(Ear(socket))
        await ears[0].run()

    daemon = Daemon([stream(then="<Say>bye</Say><Redirect>/sautikit/voice</Redirect>")], listen)
    report = await place(daemon, Silence(2), HangUp())
    (ear,) = ears
    assert (report.said, len(daemon.asked)) == ((), 1)  # nobody is there any more to be asked for
    assert ear.texts == ["tok"]
    assert {len(frame) for frame in ear.frames} == {320}
    assert 98 <= len(ear.frames) <= 101
    assert np.abs(np.diff(ear.at) - 0.02).max() < 0.001
    assert ear.closed == 1000


@pytest.mark.parametrize(("rate", "leg", "channels", "size"), [("16000", 8000, None, 640), ("8000", 16000, "stereo", 640)])
async def test_a_stream_at_another_rate_than_the_phone_is_resampled(
    autojump_clock: object, rate: str, leg: int, channels: str | None, size: int
) -> None:
    heard: list[Ear] = []

    async def listen(socket: Socket) -> None:
        heard.append(Ear(socket))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heard[0].run)
            await speak(socket, tone(1.0, int(rate)), int(rate))

    report = await place(
        Daemon([stream(outputSamplingRate=rate)], listen), Silence(2), HangUp(), leg_rate=leg, channels=channels
    )
    played = report.recording.agent
    assert report.recording.rate == leg
    assert len(played) > leg
    peak = np.fft.rfftfreq(leg, 1 / leg)[np.argmax(np.abs(np.fft.rfft(played[leg // 2 : leg // 2 + leg])))]
    assert abs(peak - 440) < 4
    assert np.median([len(frame) for frame in heard[0].frames]) == size


@pytest.mark.parametrize(
    ("channels", "track"), [("mono", "inbound_track"), ("stereo", "both_tracks"), ("mixed", "both_tracks")]
)
async def test_the_daemon_hears_itself_only_where_the_layout_says_so(autojump_clock: object, channels: str, track: str) -> None:
    ears: list[Ear] = []

    async def talk(socket: Socket) -> None:
        ears.append(Ear(socket))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ears[0].run)
            await speak(socket, tone(1.0))

    report = await place(Daemon([stream(track=track)], talk), Silence(2), HangUp(), channels=channels)
    heard, played = ears[0].samples, report.recording.agent
    if channels == "mono":
        assert not heard.any()
    elif channels == "mixed":
        assert np.array_equal(heard[:8000], played[:8000])
    else:
        assert not heard[0::2].any()
        assert np.array_equal(heard[1::2][:8000], played[:8000])


async def test_without_channels_the_track_decides(autojump_clock: object) -> None:
    ears: list[Ear] = []

    async def talk(socket: Socket) -> None:
        ears.append(Ear(socket))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ears[0].run)
            await speak(socket, tone(1.0))

    await place(Daemon([stream(track="both_tracks")], talk), Silence(2), HangUp())
    assert ears[0].samples.any()


async def test_a_transfer_dials_and_ends_the_call(autojump_clock: object) -> None:
    daemon = Daemon(
        [stream(), '<Response><Say>one moment</Say><Dial callerId="+1" timeout="20">+2547</Dial></Response>'], answering
    )
    report = await place(daemon, Wait(0.7, 15), Say(HOURS), Silence(30))
    assert (report.outcome, report.dialled, report.said) == ("completed", "+2547", ("one moment",))


async def test_behind_a_dial_that_nobody_takes_the_document_goes_on_and_the_daemon_is_told(autojump_clock: object) -> None:
    dial = '<Response><Dial timeout="20">+2547</Dial><Redirect method="POST">/sautikit/dialled</Redirect></Response>'
    daemon = Daemon([stream(), dial, stream(), HANGUP], answering)
    report = await place(daemon, Wait(0.7, 15), Say(HOURS), Silence(8), Say(HOURS), Silence(30), dial="no-answer")
    assert (report.outcome, report.dialled, report.streams, report.why) == ("completed", "+2547", 2, "the agent hung up")
    told = [dict(urllib.parse.parse_qsl(body.decode())).get("DialCallStatus", "") for _, body in daemon.asked]
    assert told == ["", "", "no-answer", ""]


async def test_a_barge_in_is_timed_from_its_voice_to_the_agents_last_sound(autojump_clock: object) -> None:
    stopped: list[float] = []

    async def polite(socket: Socket) -> None:
        """Stops 300 ms after it hears the caller, says killAudio, and answers."""
        async with trio.open_nursery() as nursery:
            ear = Ear(socket)
            nursery.start_soon(ear.run)

            async def talk(scope: trio.CancelScope) -> None:
                with scope:
                    await speak(socket, tone(8.0))

            scope = trio.CancelScope()
            nursery.start_soon(talk, scope)
            await ear.until_voice_begins()
            await trio.sleep(0.3)
            scope.cancel()
            await socket.send_message('{"type":"killAudio"}')
            stopped.append(trio.current_time())
            await ear.until_voice_ends()
            await speak(socket, tone(0.5))
            await trio.sleep(0.5)
            nursery.cancel_scope.cancel()

    figures = {}
    for dialect in ("sautikit", "jambonz"):
        report = await place(Daemon([stream()], polite), Interject("barge_in", WAIT, 1.0), Silence(9), dialect=dialect)
        (figures[dialect],) = report.figures.interruptions
        assert report.ignored == ({"killAudio": 1} if dialect == "sautikit" else {})
        assert report.figures.holes == ()
    clear, unclear = figures["jambonz"].silence, figures["sautikit"].silence
    assert clear is not None
    assert unclear is not None
    assert 0.28 <= clear <= 0.38
    assert 0.12 <= unclear - clear <= 0.20  # what lay in the buffer: the fake's lead of 160 ms
    assert 1.0 <= figures["jambonz"].seconds <= 1.3


async def test_a_cut_speech_that_goes_on_misses_no_sample(autojump_clock: object) -> None:
    reference = chirp(3.0)

    async def interrupted(socket: Socket) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Ear(socket).run)
            await speak(socket, reference[:12000], pad=0)
            await trio.sleep(1.0)
            await speak(socket, reference[10400:])
            await trio.sleep(1.5)
            nursery.cancel_scope.cancel()

    report = await place(Daemon([stream()], interrupted), Interject("cough", COUGH, 0.5), Silence(9))
    alignment = missing_samples(reference, report.recording.agent)
    assert alignment.missing <= 8
    assert alignment.pieces == 3  # the tail of the first, too short for the prebuffer, came with the second
    assert 1550 <= alignment.repeated <= 1600
    assert report.figures.turns == ()


async def test_keys_and_marks_travel_in_the_jambonz_dialect(autojump_clock: object) -> None:
    ears: list[Ear] = []

    async def marking(socket: Socket) -> None:
        ears.append(Ear(socket))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ears[0].run)
            await socket.send_message(tone(0.5).tobytes())
            await socket.send_message('{"type":"mark","data":{"name":"m1"}}')
            await trio.sleep(2.0)

    await place(Daemon([stream()], marking), Silence(1.5), Key("5"), Silence(0.2), HangUp(), dialect="jambonz")
    texts = [json.loads(text) for text in ears[0].texts[1:]]
    assert texts == [
        {"type": "mark", "data": {"name": "m1", "event": "playout"}},
        {"event": "dtmf", "dtmf": "5", "duration": 1600},
    ]


async def test_after_a_cough_the_caller_waits_for_quiet_from_its_end_and_for_no_answer(autojump_clock: object) -> None:
    async def greeting(socket: Socket) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Ear(socket).run)
            await speak(socket, tone(1.0))
            await trio.sleep_forever()

    report = await place(Daemon([stream()], greeting), Interject("cough", COUGH, 0.8), Wait(0.7, 15), HangUp())
    assert report.notes == ()
    assert 2.2 <= report.seconds <= 2.4  # 0.8 s of the greeting, 0.74 s of coughing, 0.7 s of quiet


async def test_the_daemon_hears_the_noise_and_the_figures_do_not(autojump_clock: object) -> None:
    ears: list[Ear] = []

    async def listen(socket: Socket) -> None:
        ears.append(Ear(socket))
        await ears[0].run()

    report = await place(Daemon([stream()], listen), Silence(1), HangUp(), noise=Noise("white", 10))
    assert 600 < rms(ears[0].samples) < 900  # 10 dB below 2300
    assert np.array_equal(report.recording.microphone[: len(ears[0].samples)][-4000:], ears[0].samples[-4000:])
    assert not report.recording.voice.any()


async def test_what_waits_for_a_slow_socket_goes_out_as_one_frame() -> None:
    line = Line(8000, None, lambda _: None)
    media = Media(Stream("ws://127.0.0.1:1/", "inbound_track", 8000, ""), line, Settings(dialect="jambonz"), Traffic())
    for _ in range(3):
        media.exchange(np.full(160, 7, dtype=np.int16))
    media.press("1")
    media.exchange(np.zeros(160, dtype=np.int16))
    messages = media._gathered(media._to_send.receive_nowait())
    assert [len(message) for message in messages if isinstance(message, bytes)] == [960, 320]
    assert [type(message) for message in messages] == [bytes, str, bytes]


async def test_a_late_tick_is_caught_up(autojump_clock: MockClock) -> None:
    line = Line(8000, None, lambda _: None)

    class Slow:
        def exchange(self, microphone: Samples) -> Tick:
            if line.loudspeaker.ticks % 10 == 0:
                autojump_clock.jump(0.05)
            return Tick(np.zeros(160, dtype=np.int16), 0)

    line.attach(Slow())
    with trio.move_on_after(10):
        await line.run()
    assert abs(line.loudspeaker.ticks - 500) <= 3
    assert max(line.lateness) == pytest.approx(0.03)


async def test_disconnect_ends_the_stream(autojump_clock: object) -> None:
    async def leaving(socket: Socket) -> None:
        await socket.send_message('{"type":"disconnect"}')
        await Ear(socket).run()

    report = await place(Daemon([stream(), HANGUP], leaving), Silence(30))
    assert (report.outcome, report.why) == ("completed", "the agent hung up")
    assert report.seconds < 1


async def test_a_caller_who_waits_in_vain_says_so_and_goes_on(autojump_clock: object) -> None:
    report = await place(Daemon([stream()], silent), Wait(0.7, 5), Interject("uh_huh", WAIT, 0.1), HangUp())
    assert report.outcome == "completed"
    assert report.notes == (
        "waited 5 s: the agent says nothing",
        "uh_huh: the agent said nothing for 15 s that could be interrupted",
    )


async def test_a_daemon_that_stops_reading_loses_audio_and_not_the_call(autojump_clock: object) -> None:
    async def deaf(socket: Socket) -> None:
        await trio.sleep_forever()

    report = await place(Daemon([stream(outputSamplingRate="16000", track="both_tracks")], deaf), Silence(400), HangUp())
    assert report.outcome == "completed"
    assert report.lost > 0


# ── A daemon that misbehaves: a sentence, never a traceback ──────────────────────────────────────────────────────────


async def test_a_document_that_only_speaks_is_a_refusal(autojump_clock: object) -> None:
    report = await place(Daemon(["<Response><Say>all lines are busy</Say></Response>"], silent), Silence(9))
    assert (report.outcome, report.why) == ("refused", "the daemon did not take the call: all lines are busy")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_secret_is_said_to_be_one(autojump_clock: object, status: int) -> None:
    report = await place(Daemon([""], silent, status=status), Silence(9))
    assert report.outcome == "refused"
    assert "--secret" in report.why


@pytest.mark.parametrize(
    ("document", "status", "content_type", "sentence"),
    [
        ("not xml", 200, b"application/xml", "answered no XML"),
        ("<Response/>", 500, b"application/xml", "answered 500"),
        ("<Response/>", 200, b"text/html", "answered text/html"),
        ("<Answer/>", 200, b"application/xml", "not a <Response>"),
        ("<Response><Stream url='{ws}/x' track='inbound_track'/></Response>", 200, b"text/xml", "outputSamplingRate=''"),
        (stream(url="ws://127.0.0.1:1/x"), 200, b"text/xml", "cannot be opened"),
        (stream(url="ws://127.0.0.1:999999/x"), 200, b"text/xml", "cannot be opened"),
    ],
)
async def test_nonsense_from_the_webhook_is_a_sentence(
    autojump_clock: object, document: str, status: int, content_type: bytes, sentence: str
) -> None:
    report = await place(Daemon([document], silent, status=status, content_type=content_type), Silence(9))
    assert report.outcome == "broken"
    assert sentence in report.why


async def test_no_daemon_at_all_is_a_sentence() -> None:
    report = await place_call(
        Scenario("test", (HangUp(),)), base_url="http://127.0.0.1:9", secret="", out=None, show=lambda _: None
    )
    assert report.outcome == "broken"
    assert "Does the daemon run there?" in report.why


async def test_a_subprotocol_that_is_not_echoed_is_dropped(autojump_clock: object) -> None:
    report = await place(Daemon([stream()], silent, subprotocol=None), Silence(9))
    assert report.outcome == "broken"
    assert "did not echo the subprotocol 'audio.drachtio.org'" in report.why


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n\x00\x01",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: other\r\n\r\n",
        b"",
    ],
)
async def test_what_is_no_upgrade_is_a_sentence(autojump_clock: object, answer: bytes) -> None:
    async def garbage(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, garbage, [listener])
        port = listener.socket.getsockname()[1]
        report = await place(Daemon([stream(url=f"ws://127.0.0.1:{port}/x")], silent), Silence(9))
        nursery.cancel_scope.cancel()
    assert report.outcome == "broken"
    assert "media socket" in report.why


async def test_endless_redirects_end(autojump_clock: object) -> None:
    circle = "<Response><Redirect>/sautikit/voice</Redirect></Response>"
    report = await place(Daemon([circle] * 99, silent), Silence(9))
    assert (report.outcome, "redirected 20 times" in report.why) == ("broken", True)


async def test_text_that_is_no_message_breaks_the_call_but_not_the_switch(autojump_clock: object) -> None:
    async def mad(socket: Socket) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Ear(socket).run)
            for text in ("{{{", "[1]", '{"type": 5}', "", '{"type":"mark","data":7}', '{"type":"killAudio"}'):
                await socket.send_message(text)
            for data in (b"", b"\x01", b"\x00" * 3, np.zeros(99999, "<i2").tobytes()):
                await socket.send_message(data)
            await trio.sleep(5)

    report = await place(Daemon([stream()], mad), Silence(1), HangUp(), dialect="jambonz")
    assert report.outcome == "broken"
    assert "no message: '{{{'" in report.why
    assert report.ignored == {"mark": 1}


async def test_a_socket_that_closes_badly_is_told_and_the_next_verb_runs(autojump_clock: object) -> None:
    async def failing(socket: Socket) -> None:
        await trio.sleep(0.5)
        await socket.aclose(1011, "engine failed")

    daemon = Daemon([stream()], failing)
    report = await place(daemon, Silence(9))
    assert (report.outcome, report.why) == ("broken", "the daemon closed the media socket with 1011 (engine failed)")
    assert len(daemon.asked) == 2


async def test_a_socket_that_is_cut_is_a_sentence(autojump_clock: object) -> None:
    async def cut(socket: Socket) -> None:
        await trio.sleep(0.3)
        await socket._stream.aclose()
        raise trio_websocket.ConnectionClosed(None)

    report = await place(Daemon([stream()], cut), Silence(9))
    assert (report.outcome, report.why) == ("broken", "the daemon closed the media socket with 1006")
