"""The command line: each command helps, refuses what it does not know, and ends in one sentence where it cannot work."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentd import cli

TYPO = """
from agentd.flow import Flow, State, When

STATES = [
    State("talk", say="Hello."),
    State("desk", say="One moment.", transfer="front_desk"),
    State("bye", final=True),
]
TRANSITIONS = [
    When("wants_human", "talk", "dseks", "a person"),
    When("wants_human", "talk", "desk", "a person"),
    When("wants_end", "talk", "bye", "goodbye"),
]
FLOW = Flow("typo", states=STATES, transitions=TRANSITIONS, help="this", transfers={"front_desk": "+15550199"})
"""
NO_TARGET = TYPO.replace('"dseks"', '"desk"').replace('front_desk": "+', 'frontdesk": "+')
NO_NUMBER = TYPO.replace('"dseks"', '"desk"').replace("+15550199", "")
MISSPELT = TYPO.replace("final=True", "finl=True")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with no settings, and an environment with a secret and stub engines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTD_SAUTIKIT_SECRET", "s3cret")
    for stage in ("recognizer", "thinker", "voice", "vad"):
        monkeypatch.setenv(f"AGENTD_ENGINES_{stage.upper()}", f"tests.fakes.engines:{stage}")


def run(*argv: str) -> int:
    """The exit code, argparse's own included."""
    try:
        return cli.main(argv)
    except SystemExit as ended:
        return int(ended.code or 0)


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed: one line of it, and no traceback."""
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1, printed.err
    assert "s3cret" not in printed.err + printed.out
    return printed.err


# ── Help and unknown things ──────────────────────────────────────────────────────────────────────────────────────────

COMMANDS = ["serve", "demo", "call", "calls", "calls list", "calls delete", "effects", "effects list", "effects show",
            "effects retry", "effects resolve", "trace", "flow new", "flow check", "flow chat", "flow graph", "turn graph",
            "config show"]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_every_command_helps(command: str, asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command.split(), asked) == 0
    assert f"usage: agentd {command}" in capsys.readouterr().out


@pytest.mark.parametrize("argv", ["", "--help", "help", "flow --help", "turn -h", "config --help"])
def test_what_there_is_can_be_asked(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv.split()) == 0
    assert "agentd COMMAND" in capsys.readouterr().out


UNKNOWN = ["serve extra", "config show extra", "calls list --port 3", "trace --flow x", "turn graph extra", "flow check a b",
           "flow check", "flow new", "flow new a b", "flow chat", "flow chat a b", "serve --port many",
           "serve --conf x", "nothing", "flow dance", "config hide"]  # fmt: skip


@pytest.mark.parametrize("argv", [*UNKNOWN, *(f"{command} --bogus" for command in COMMANDS)])
def test_what_a_command_does_not_know_is_refused(argv: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv.split()) == 2
    printed = capsys.readouterr()
    assert (printed.out, "usage: agentd" in printed.err) == ("", True)


def test_the_calls_folder_can_be_named_before_and_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("calls", "--out", str(tmp_path / "here"), "list") == 0
    assert run("calls", "list", "--out", str(tmp_path / "here")) == 0
    assert capsys.readouterr().out == f"No calls in {tmp_path / 'here'}.\n" * 2


def test_the_command_line_wins_over_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTD_SERVER_PORT", "1111")
    assert run("config", "show", "--port", "2222", "--flow", "mine") == 0
    shown = capsys.readouterr().out
    assert "port = 2222  # command line" in shown
    assert '"*" = "mine"  # command line' in shown
    assert "s3cret" not in shown


def test_an_interrupt_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(argv: list[str]) -> int:
        raise BaseExceptionGroup("tasks", [KeyboardInterrupt()])

    monkeypatch.setattr(cli, "_run", interrupted)
    assert run("demo") == 130


# ── A daemon that cannot start ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [("flow", "check"), ("serve", "--port", "0", "--flow")])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TYPO, ["typo.py: transition 'wants_human': there is no state 'dseks'", "Mend: did you mean 'desk'?"]),
        (NO_TARGET, ["typo.py: state 'desk': the transfer target 'front_desk' is not configured", "did you mean 'frontdesk'?"]),
        (NO_NUMBER, ["typo.py: state 'desk': the transfer target 'front_desk' has no number", "Mend: write its number"]),
        (MISSPELT, ["typo.py:7", "State has no 'finl'", "Mend: did you mean 'final'?"]),
        (TYPO.replace("STATES = [", "STATES = ["[:-1]), ["typo.py:", "Mend: correct the line."]),
    ],
    ids=["no state", "no target", "no number", "no such word", "no python"],
)  # fmt: skip
def test_a_flow_with_a_typo_ends_with_file_place_and_mend(
    command: tuple[str, ...], text: str, says: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "typo.py").write_text(text)
    assert run(*command, "typo.py") == 1
    printed = complaint(capsys)
    assert all(part in printed for part in says), printed


def test_a_flow_that_does_not_exist_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--port", "0", "--flow", "receptionits") == 1
    assert "did you mean 'receptionist'?" in complaint(capsys)


@pytest.mark.parametrize("stage", ["recognizer", "thinker", "voice", "vad"])
def test_an_engine_that_does_not_exist_is_one_sentence(
    stage: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"AGENTD_ENGINES_{stage.upper()}", "nope")
    assert run("serve", "--port", "0", "--flow", "tests.fakes.flow") == 1
    assert f"agentd: engines.{stage}: the {stage} 'nope' cannot be loaded" in complaint(capsys)


def test_a_voice_that_cannot_speak_is_one_sentence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTD_ENGINES_VOICE", "tests.fakes.engines:mute_voice")
    assert run("serve", "--port", "0", "--flow", "tests.fakes.flow") == 1
    assert "agentd: engines.voice: no voice can speak (voice: it is mute). Mend: " in complaint(capsys)


def test_a_daemon_without_a_secret_does_not_start(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTD_SAUTIKIT_SECRET")
    assert run("serve", "--port", "0", "--flow", "tests.fakes.flow") == 1
    assert "agentd: sautikit.secret: no signing secret is set" in complaint(capsys)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_is_in_use_is_one_sentence(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("serve", "--port", str(taken), "--flow", "tests.fakes.flow") == 1
    assert f"agentd: 127.0.0.1:{taken}: agentd cannot listen there (another process listens there). Mend: " in complaint(capsys)


def test_a_folder_that_cannot_hold_calls_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run("serve", "--port", "0", "--flow", "tests.fakes.flow", "--out", "file/calls") == 1
    assert "agentd: calls.out file/calls: calls cannot be stored there (Not a directory). Mend: " in complaint(capsys)
