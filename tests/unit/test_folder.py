from __future__ import annotations

import errno
import io
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agentd import folder
from agentd.errors import OperatorError
from agentd.folder import CallFolder, calls_main, delete_call, find_call, list_calls, new_call_id, purge

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def make(root: Path, start: datetime = NOON, **record: Any) -> str:
    call = CallFolder(root, new_call_id(start))
    if record:
        call.write_call(record)
    call.close()
    return call.id


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_call_id(NOON + timedelta(milliseconds=n)) for n in range(1500)]
    assert ids == sorted(ids)
    assert len({new_call_id(NOON) for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "call_id",
    [
        *("", ".", "..", "../x", "a/b", "last", "20261120-120000-000-7f3a9c0", "20261120-120000-000-7f3a9c01/.."),
        *("20261120-120000-000-7F3A9C01", "99999999-120000-000-7f3a9c01", "20261120-120000-000-7f3a9c01\n"),
        "２0261120-120000-000-7f3a9c01",
    ],
)
def test_a_name_from_outside_is_never_a_folder(tmp_path: Path, call_id: str) -> None:
    with pytest.raises(ValueError, match="no call id"):
        CallFolder(tmp_path / "calls", call_id)
    assert not (tmp_path / "calls").exists()


def test_a_folder_holds_what_was_written(tmp_path: Path) -> None:
    call = CallFolder(tmp_path / "deep" / "calls", new_call_id())
    call.add_transcript({"who": "caller", "text": "grüß\ud800 Gott\n"})
    call.add_transcript({"who": "agent", "text": "Hello"})
    call.add_span({"name": "turn"})
    call.write_call({"outcome": "hangup", "started": NOON})
    call.write_call({"outcome": "done"})
    call.write_handoff({"who": "Ann"})
    call.close()
    call.close()
    lines = [json.loads(line) for line in (call.path / "transcript.jsonl").read_text("utf-8").splitlines()]
    assert lines == [{"who": "caller", "text": "grüß\ud800 Gott\n"}, {"who": "agent", "text": "Hello"}]
    assert json.loads((call.path / "spans.jsonl").read_text()) == {"name": "turn"}
    assert json.loads((call.path / "call.json").read_text()) == {"outcome": "done"}
    assert json.loads((call.path / "handoff.json").read_text()) == {"who": "Ann"}
    assert call.recording == call.path / "recording.wav"
    assert call.failed is None
    assert sorted(path.name for path in call.path.iterdir()) == ["call.json", "handoff.json", "spans.jsonl", "transcript.jsonl"]


def test_a_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    call = CallFolder(tmp_path, new_call_id())
    call.add_span({"n": 1})
    assert (call.path / "spans.jsonl").read_text() == '{"n": 1}\n'
    call.close()


def test_only_its_owner_may_look_into_a_call(tmp_path: Path) -> None:
    call = CallFolder(tmp_path, new_call_id())
    assert stat.S_IMODE(call.path.stat().st_mode) == 0o700


def test_a_root_that_cannot_be_made_is_remembered_and_never_raised(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    call = CallFolder(tmp_path / "file", new_call_id())
    call.write_call({})
    call.add_transcript({})
    call.add_transcript({})
    call.close()
    assert call.failed == "File exists"


def test_a_full_disk_ends_the_log_with_no_glued_lines_and_leaves_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CallFolder(tmp_path, new_call_id())
    call.write_call({"outcome": "live"})
    call.add_span({"n": 1})

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            super().write(bytes(data)[:3])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder, "FileIO", Full)
    call.add_transcript({"text": "hello"})
    monkeypatch.undo()
    call.add_transcript({"text": "again"})
    call.add_span({"n": 2})
    assert call.failed == "No space left on device"
    assert (call.path / "transcript.jsonl").read_text() == '{"t'
    assert (call.path / "spans.jsonl").read_text() == '{"n": 1}\n{"n": 2}\n'

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    call.write_call({"outcome": "done"})
    assert json.loads((call.path / "call.json").read_text()) == {"outcome": "live"}
    assert not list(call.path.glob("*.tmp"))
    call.close()


def test_the_list_is_oldest_first_and_complete(tmp_path: Path) -> None:
    later = make(tmp_path, NOON + timedelta(hours=1), flow="booking")
    first = make(tmp_path, flow="receptionist", outcome="hangup", seconds=61.5, turns=3, **{"from": "+15550199"})
    calls = list_calls(tmp_path)
    assert [call.id for call in calls] == [first, later]
    assert calls[0].started == NOON
    assert (calls[0].flow, calls[0].caller, calls[0].outcome) == ("receptionist", "+15550199", "hangup")
    assert (calls[0].seconds, calls[0].turns) == (61.5, 3)
    assert (calls[1].outcome, calls[1].seconds, calls[1].turns) == ("unfinished", None, None)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"x"', "[" * 100_000, "\xff", '{"seconds": "long", "turns": {}, "flow": null}']
)
def test_a_broken_folder_spoils_no_list(tmp_path: Path, text: str) -> None:
    broken, sound = make(tmp_path), make(tmp_path, NOON + timedelta(1), outcome="done")
    (tmp_path / broken / "call.json").write_bytes(text.encode("latin-1"))
    calls = list_calls(tmp_path)
    assert [call.id for call in calls] == [broken, sound]
    assert calls[0].seconds is None
    assert calls[1].outcome == "done"


def test_what_is_no_call_is_not_listed(tmp_path: Path) -> None:
    real = make(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / new_call_id()).write_text("a file")
    (tmp_path / new_call_id()).symlink_to(tmp_path / "notes")
    assert [call.id for call in list_calls(tmp_path)] == [real]
    assert list_calls(tmp_path / "absent") == []


def test_a_call_is_found_by_its_id_a_unique_beginning_or_last(tmp_path: Path) -> None:
    first, second = make(tmp_path), make(tmp_path, NOON + timedelta(days=1))
    assert find_call(tmp_path, first) == first
    assert find_call(tmp_path, "20261121") == second
    assert find_call(tmp_path, "last") == second
    for text, why in (
        ("20261", "2 calls begin"),
        ("", "no call"),
        ("../x", "no call"),
        ("nope", "no call"),
        (first + "x", "no call"),
    ):
        with pytest.raises(OperatorError, match=why):
            find_call(tmp_path, text)
    with pytest.raises(OperatorError, match="no call"):
        find_call(tmp_path / "absent", "last")


def test_deleting_takes_one_call_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "calls"
    one, other = make(root, outcome="done"), make(root)
    (tmp_path / "precious").write_text("x")
    (root / one / "link").symlink_to(tmp_path / "precious")
    delete_call(root, one)
    assert [path.name for path in root.iterdir()] == [other]
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../precious", "notes", "20261120-120000-000-00000000", "{link}", "{absolute}"]
)
def test_deleting_refuses_what_is_no_call(tmp_path: Path, name: str) -> None:
    root = tmp_path / "calls"
    make(root)
    (root / "notes").mkdir()
    (tmp_path / "precious").mkdir()
    link = new_call_id()
    (root / link).symlink_to(tmp_path / "precious")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OperatorError, match="no call's folder"):
        delete_call(root, name.format(link=link, absolute=tmp_path / "precious"))
    assert sorted(tmp_path.rglob("*")) == before


def test_purging_takes_what_is_older_and_only_that(tmp_path: Path) -> None:
    old = make(tmp_path, NOON - timedelta(days=30, seconds=1))
    young = make(tmp_path, NOON - timedelta(days=30))
    (tmp_path / "notes").mkdir()
    assert purge(tmp_path, NOON, 30) == ([old], [])
    assert sorted(path.name for path in tmp_path.iterdir()) == [young, "notes"]


def test_a_call_that_resists_does_not_stop_the_purge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    ids = [make(tmp_path, start + timedelta(seconds=n)) for n in range(3)]
    rmtree = folder.shutil.rmtree

    def stubborn(path: Path) -> None:
        if path.name == ids[1]:
            raise PermissionError(errno.EACCES, "Permission denied")
        rmtree(path)

    monkeypatch.setattr(folder.shutil, "rmtree", stubborn)
    assert purge(tmp_path, start + timedelta(days=2), 1) == ([ids[0], ids[2]], [ids[1]])
    assert calls_main(["purge"], tmp_path, days=1) == 1
    assert ids[1] in capsys.readouterr().err


def test_the_command_lists_a_table_that_no_caller_can_garble(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calls_main(["list"], tmp_path) == 0
    assert "No calls" in capsys.readouterr().out
    call = make(
        tmp_path, outcome="hangup", seconds=75, turns=4, flow="receptionist", **{"from": "\x1b[2J\r\n\u202eevil" + "x" * 99}
    )
    assert calls_main(["list"], tmp_path) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["CALL", "STARTED", "FROM", "FLOW", "OUTCOME", "LENGTH", "TURNS"]
    assert call in row
    assert "1:15" in row
    assert row.isprintable()
    assert len(row) < 160


def test_the_command_deletes_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calls_main(["delete", "last"], tmp_path) == 1
    assert "there are no calls here. Mend: name the calls' folder with --out" in capsys.readouterr().err
    call = make(tmp_path)
    assert calls_main(["delete", "nope"], tmp_path) == 1
    assert "agentd calls list" in capsys.readouterr().err
    assert calls_main(["delete", "last"], tmp_path) == 0
    assert call in capsys.readouterr().out
    assert not list_calls(tmp_path)


def test_the_command_purges_by_the_retention_in_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, datetime.now(UTC) - timedelta(days=8))
    kept = make(tmp_path, datetime.now(UTC) - timedelta(days=6))
    assert calls_main(["purge"], tmp_path, days=7) == 0
    assert "Deleted 1 call of " in capsys.readouterr().out
    assert [call.id for call in list_calls(tmp_path)] == [kept]
