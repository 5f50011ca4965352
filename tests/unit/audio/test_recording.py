from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from agentd.audio.recording import BATCH_S, LONGEST_S, WINDOW_S, Recording
from agentd.audio.wav import HEADER_EVERY_S, WavWriter, interleave, read_wav

RATE = 8000
FRAME = RATE // 50


def tone(value: int, samples: int) -> bytes:
    return value.to_bytes(2, "little", signed=True) * samples


def samples(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[i : i + 2], "little", signed=True) for i in range(0, len(pcm), 2)]


def tracks(path: Path) -> tuple[list[int], list[int]]:
    wav = read_wav(path)
    caller, agent = wav.channels
    return samples(caller), samples(agent)


def silence_until(recording: Recording, end: int) -> None:
    for pos in range(0, end, FRAME):
        recording.caller(pos, bytes(2 * FRAME))


def test_the_caller_is_left_the_agent_right_each_where_it_was(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.caller(0, tone(1, 4))
    recording.agent(2, tone(2, 4))
    recording.close()
    assert tracks(tmp_path / "r.wav") == ([1, 1, 1, 1, 0, 0], [0, 0, 2, 2, 2, 2])
    assert read_wav(tmp_path / "r.wav").rate == RATE


def test_a_long_call_is_written_sample_by_sample_as_it_was(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    frames = 700
    for n in range(frames):
        recording.caller(n * FRAME, tone(n, FRAME))
        recording.agent(n * FRAME + 37, tone(-n, FRAME))
    recording.close()
    caller, agent = tracks(tmp_path / "r.wav")
    assert caller == [n for n in range(frames) for _ in range(FRAME)] + [0] * 37
    assert agent == [0] * 37 + [-n for n in range(frames) for _ in range(FRAME)]


def test_a_gap_is_silence_however_long(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.caller(0, tone(1, 10))
    recording.caller(RATE * 60, tone(2, 10))
    recording.close()
    caller, agent = tracks(tmp_path / "r.wav")
    assert caller == [1] * 10 + [0] * (RATE * 60 - 10) + [2] * 10
    assert not any(agent)
    assert len(agent) == len(caller)


def test_one_piece_longer_than_the_window_is_kept_whole(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.agent(5, tone(3, RATE * 7))
    recording.close()
    assert tracks(tmp_path / "r.wav")[1] == [0] * 5 + [3] * (RATE * 7)


def test_cleared_audio_is_absent(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.agent(0, tone(5, RATE))
    silence_until(recording, RATE // 2)
    recording.cut_agent(RATE // 2)
    silence_until(recording, RATE * 4)
    recording.agent(RATE * 4, tone(6, 3))
    recording.close()
    agent = tracks(tmp_path / "r.wav")[1]
    assert agent[: RATE // 2] == [5] * (RATE // 2)
    assert not any(agent[RATE // 2 : RATE * 4])
    assert agent[RATE * 4 :] == [6, 6, 6]


def test_a_cut_reaches_back_over_the_whole_window(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.agent(0, tone(5, RATE * 10))
    recording.cut_agent(RATE * 10 - int(WINDOW_S * RATE))
    recording.close()
    assert len(tracks(tmp_path / "r.wav")[1]) == RATE * 10 - int(WINDOW_S * RATE)


def test_what_is_written_is_final(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.agent(0, tone(5, RATE * 10))
    recording.cut_agent(0)
    recording.caller(0, tone(9, FRAME))
    recording.close()
    caller, agent = tracks(tmp_path / "r.wav")
    assert agent[:RATE] == [5] * RATE
    assert len(agent) < RATE * 9
    assert not any(caller)


def test_the_later_of_two_placings_stands(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.agent(0, tone(5, 10))
    recording.agent(4, tone(6, 3))
    recording.close()
    assert tracks(tmp_path / "r.wav")[1] == [5, 5, 5, 5, 6, 6, 6, 5, 5, 5]


def test_nothing_is_kept_before_consent_and_time_goes_on(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE, start_paused=True)
    recording.caller(0, tone(1, 10))
    recording.resume()
    recording.caller(10, tone(2, 10))
    recording.pause()
    recording.agent(15, tone(3, 10))
    recording.close()
    assert tracks(tmp_path / "r.wav") == ([0] * 10 + [2] * 10 + [0] * 5, [0] * 25)


def test_memory_stays_within_the_window(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    bound = 2 * RATE * (WINDOW_S + 2 * BATCH_S)
    for n in range(50 * 20):
        recording.caller(n * FRAME, bytes(2 * FRAME))
        recording.agent(n * FRAME, bytes(2 * FRAME))
        assert len(recording._caller) + len(recording._agent) <= 2 * bound
    recording.agent(RATE * 3000, b"\0\0")
    assert len(recording._caller) + len(recording._agent) <= 2 * bound
    recording.close()


def test_a_crash_leaves_a_playable_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    for n in range(50 * 10):
        recording.caller(n * FRAME, tone(7, FRAME))
    caller, _ = tracks(tmp_path / "r.wav")  # never closed
    assert set(caller) == {7}
    assert len(caller) >= RATE * (10 - WINDOW_S - HEADER_EVERY_S - 2 * BATCH_S)
    recording.close()


def test_closing_twice_and_placing_after_it_do_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.caller(0, tone(1, 3))
    recording.close()
    before = (tmp_path / "r.wav").read_bytes()
    recording.caller(3, tone(1, RATE * 9))
    recording.cut_agent(0)
    recording.close()
    assert (tmp_path / "r.wav").read_bytes() == before
    assert recording.failed is None


def test_a_folder_that_is_not_there_is_remembered_and_never_raised(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "none" / "r.wav", RATE)
    recording.caller(0, tone(1, RATE * 9))
    recording.agent(0, tone(1, RATE * 9))
    recording.close()
    assert recording.failed == "No such file or directory"


def test_a_full_disk_is_remembered_and_further_audio_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.caller(0, tone(1, RATE * 5))

    def full(self: WavWriter, pcm: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(WavWriter, "write", full)
    recording.caller(RATE * 5, tone(1, RATE))
    assert recording.failed == "No space left on device"
    recording.caller(RATE * 6, tone(1, RATE * 60))
    assert len(recording._caller) == 0
    recording.close()
    assert set(tracks(tmp_path / "r.wav")[0]) == {1}


def test_a_disk_that_fills_within_a_batch_leaves_a_playable_file(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from agentd.audio.recording import Recording
resource.setrlimit(resource.RLIMIT_FSIZE, (100_001, 100_001))
recording = Recording(Path(sys.argv[1]), 8000)
recording.caller(0, bytes(2 * 8000 * 30))
recording.close()
print(recording.failed)
"""
    path = tmp_path / "r.wav"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout == "File too large\n"
    assert len(tracks(path)[0]) == (100_001 - 44) // 4
    assert int.from_bytes(path.read_bytes()[40:44], "little") % 4 == 0


def test_no_recording_is_longer_than_the_longest_call(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "r.wav", RATE)
    recording.caller(0, tone(1, RATE))
    recording.caller(RATE * int(LONGEST_S + WINDOW_S + 1), tone(1, 1))
    recording.close()
    assert recording.failed
    assert (tmp_path / "r.wav").stat().st_size < 5 * RATE


def test_only_its_owner_may_listen_to_a_recording(tmp_path: Path) -> None:
    Recording(tmp_path / "r.wav", RATE).close()
    assert stat.S_IMODE((tmp_path / "r.wav").stat().st_mode) == 0o600


def test_a_wav_written_in_pieces_reads_back_whole(tmp_path: Path) -> None:
    writer = WavWriter(tmp_path / "m.wav", 16000, channels=1)
    writer.write(tone(1, 3))
    writer.write(tone(-2, 2))
    writer.close()
    writer.close()
    wav = read_wav(tmp_path / "m.wav")
    assert (wav.rate, [samples(channel) for channel in wav.channels]) == (16000, [[1, 1, 1, -2, -2]])


def test_samples_that_are_not_16_bits_are_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80")
    with pytest.raises(wave.Error, match="8 bits"):
        read_wav(tmp_path / "b.wav")


def test_interleaving_keeps_every_sample() -> None:
    assert samples(interleave([tone(1, 2), tone(2, 2)])) == [1, 2, 1, 2]
