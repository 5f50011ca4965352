from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentd.simulate import cli
from agentd.simulate.report import table
from agentd.simulate.scenario import Interject, Say, Silence, Wait
from tests.unit.simulate.fakedaemon import Daemon, stream
from tests.unit.simulate.test_call import HOURS, answering, place

NOWHERE = "http://127.0.0.1:9"


def test_a_daemon_that_is_not_there_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["silence", "--url", NOWHERE]) == 1
    out = capsys.readouterr().out
    assert "silence: broken: http://127.0.0.1:9/sautikit/voice cannot be asked" in out
    assert "Traceback" not in out
    assert "loudspeaker" not in out  # nothing was heard there


def test_a_wrong_scenario_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["nowhere.toml"]) == 1
    assert "Mend: name one of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "says"), [("questoin", "Mend: did you mean 'question'?"), (".", "cannot be read (Is a directory)")]
)
def test_a_scenario_that_cannot_be_had_is_told_in_plain_words(
    given: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([given]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert "Errno" not in said


def test_an_address_is_one_before_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["silence", "--url", "localhost:8080"])
    assert "'localhost:8080' is no address" in capsys.readouterr().err


def test_json_alone_is_on_standard_output_and_each_loop_has_its_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["silence", "--url", NOWHERE, "--json", "--loop", "2", "--out", str(tmp_path)]) == 1
    reports = json.loads(capsys.readouterr().out)
    assert [report["outcome"] for report in reports] == ["broken", "broken"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        f"00{number}/{name}" for number in (1, 2) for name in ("caller.wav", "report.json")
    ]


@pytest.mark.parametrize("loop", ["0", "-1", "x"])
def test_a_count_is_a_positive_number(loop: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["silence", "--loop", loop])
    assert "is no number of calls" in capsys.readouterr().err


async def test_the_table_shows_what_was_measured(autojump_clock: object) -> None:
    cough = Interject("cough", HOURS.with_name("cough.wav"), 0.3)
    report = await place(Daemon([stream()], answering), Wait(0.7, 9), Say(HOURS), cough, Silence(9))
    shown = table([report, report])
    assert "caller stopped → agent heard" in shown
    assert "cough at" in shown
    assert "  2   p50" in shown
