"""`agentd effects`: what an operator reads of an incident, and how an order is carried out by the agentd that owns the call."""

from __future__ import annotations

import json
import os
import pwd
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from agentd import cli as agentd
from agentd.actors.kit import open_jobs
from agentd.errors import OperatorError
from agentd.janitor import Janitor
from agentd.ledger.events import Answer, Ask, Done
from agentd.ledger.operators import cli
from agentd.ledger.row import Fact, Kind, Row, Verdict
from agentd.ledger.storage import incidents
from agentd.ledger.storage.codec import CallFacts
from agentd.ledger.storage.ledger import Ledger
from agentd.offload import Inline
from tests.unit.ledger.incident import (
    BOOKING,
    CALL,
    DEPOSIT,
    NOON,
    OTHER_CALL,
    TEXT,
    Story,
    a_booking_that_could_not_be_undone,
    a_deposit_that_nobody_knows_of,
    a_text_that_nobody_takes,
)
from tests.unit.ledger.keeping import Place, call, dropped, kept, row

RUNBOOK = Path(__file__).parents[3] / "ops/runbooks/effects.md"


@pytest.fixture(autouse=True)
def _somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are UTC, and the one who asks is Ann."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(cli, "_user", lambda: "ann")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def place(file: Place) -> Place:
    """What is read and ordered is the same in every database; that is tested with the incidents."""
    return file


Run = Callable[..., str]


@pytest.fixture
def effects(place: Place, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as another process, two hours after noon, and answer what it prints."""

    def run(*argv: str, later: float = 7200.0) -> str:
        place.now = NOON + later
        assert cli.main(argv, place.open) == 0
        return capsys.readouterr().out

    return run


# ── list ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incident_is_told_with_what_was_heard_what_happened_what_is_owed_and_who_is_next(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    assert (
        effects("list")
        == f"""\
1 incident, 1 with something stuck.

{CALL}  receptionist, 2026-11-20 12:00:00, over
  STUCK for 1 h 58 min       book (held)              {BOOKING}
    heard     nothing
    happened  the remote has it until 2026-11-20 12:10:41 (its pivot is stuck)
    owed      nothing
    next      it goes with deposit, as one incident
  STUCK for 1 h 58 min       deposit (pivot)          {DEPOSIT}
    heard     the question, and the caller said yes
    happened  kept (yes): it was sent, and no answer tells what became of that (no answer within 10
              s)
    owed      a notice: it was sent
    next      a human: look at the remote, then resolve it
  sent                       deposit (notice)         {DEPOSIT}.notice
"""
    )


def test_what_is_stuck_comes_first_and_then_the_newest(place: Place, effects: Run) -> None:
    a_booking_that_could_not_be_undone(place)
    for number in range(3):
        Story(place, f"20261120-13000{number}-000-00000000").store.write(
            call(f"20261120-13000{number}-000-00000000"), [row(f"r{number}", f"20261120-13000{number}-000-00000000")]
        )
    shown = re.findall(r"^(\d{8}-\d{6})", effects("list"), re.MULTILINE)
    assert shown == ["20261120-115200", "20261120-130002", "20261120-130001", "20261120-130000"]


def test_what_is_stuck_comes_first_among_what_is_open_too(place: Place, effects: Run) -> None:
    story = a_deposit_that_nobody_knows_of(place)
    story.store.write(call("3026"), [row("r1", "3026")])
    assert re.findall(r"^(\d{4,8})", effects("list", "--open"), re.MULTILINE) == ["20261120", "3026"]


def test_what_is_stuck_is_listed_however_much_has_come_after_it(
    place: Place, effects: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "MOST", 2)
    a_booking_that_could_not_be_undone(place)
    store = place.open()
    for number in range(3):
        store.write(call(f"3026-{number}"), [row(f"r{number}", f"3026-{number}")])
    text = effects("list")
    assert re.findall(r"^(\d+-\d+)", text, re.MULTILINE) == ["20261120-115200", "3026-2"]
    assert "There are more" in text


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        ((), ["3-stuck", "5-kept", "4-owed", "2-open"]),
        (("--open",), ["2-open"]),
        (("--stuck",), ["3-stuck"]),
        (("--owed",), ["4-owed"]),
        (("--all",), ["3-stuck", "5-kept", "4-owed", "2-open", "1-settled"]),
        (("--call", "1-settled"), ["1-settled"]),
    ],
)
def test_a_list_is_of_what_was_asked_for(place: Place, effects: Run, options: tuple[str, ...], calls: list[str]) -> None:
    store = place.open()
    for name, one in {
        "1-settled": kept(row("r1")),
        "2-open": row("r2"),
        "3-stuck": replace(row("r3"), fact=Fact.SENT, verdict=Verdict.DROP, stuck=True, why="retracted"),
        "4-owed": replace(row("r4"), kind=Kind.NOTICE, verdict=Verdict.KEEP),
        "5-kept": replace(row("r5"), fact=Fact.CONFIRMING, verdict=Verdict.KEEP, why="yes"),
    }.items():
        store.write(call(name), [replace(one, call=name)])
    assert re.findall(r"^(\d-\w+)", effects("list", *options), re.MULTILINE) == calls
    assert [incident["call"] for incident in json.loads(effects("list", "--json", *options))] == calls


def test_an_empty_list_says_what_there_is_none_of(place: Place, effects: Run) -> None:
    place.open()
    assert [effects("list", option) for option in ("--stuck", "--owed", "--all")] == [
        *("Nothing is stuck.\n", "Nothing is owed.\n", "The ledger is empty.\n"),
    ]
    assert effects("list") == "Nothing is unsettled.\n"
    assert json.loads(effects("list", "--json")) == []


def test_a_settled_effect_of_an_incident_takes_one_line(place: Place, effects: Run) -> None:
    place.open().write(call(), [kept(row("r1")), replace(dropped(row("r2", seq=2)), why="refused_by_caller"), row("r3", seq=3)])
    lines = effects("list").splitlines()
    assert lines[3:6] == [
        "  done (told)                book (held)              r1",
        "  let go (refused_by_caller) book (held)              r2",
        "  open                       book (held)              r3",
    ]


def test_nothing_is_wider_than_a_terminal_and_nothing_can_steer_it(place: Place, effects: Run) -> None:
    evil = "\x1b[2J" + "no answer " * 40 + "\u202e"
    long = replace(row("f" * 32 + ".old.notice"), tool="a_tool_with_a_name_that_is_far_too_long", error=evil, stuck=True)
    story = a_deposit_that_nobody_knows_of(place)
    story.store.write(story.facts, [replace(long, fact=Fact.UNDOING, verdict=Verdict.DROP, why="refused_by_caller", call=CALL)])
    for argv in (("list",), ("show", DEPOSIT), ("show", CALL, "--reveal")):
        text = effects(*argv)
        assert max(map(len, text.splitlines())) <= 100
        assert not set(text) & set("\x1b\u202e")


# ── show ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_effect_is_shown_with_its_siblings_their_history_and_what_was_ordered(place: Place, effects: Run) -> None:
    a_booking_that_could_not_be_undone(place)
    effects("retry", BOOKING)
    text = effects("show", BOOKING)
    assert text == effects("show", OTHER_CALL)
    assert (
        text.split("    history   ")[1]
        == """\
2026-11-20 11:52:20.000  sent       open  no
              2026-11-20 11:52:20.400  there      open  no
              2026-11-20 11:52:20.500  there      open  telling
              2026-11-20 11:52:21.800  undoing    drop  telling  retracted
              2026-11-20 11:54:53.000  undoing    drop  telling  retracted  stuck
    ordered   2026-11-20 14:00:00 by ann: retry: not taken up yet
"""
    )


def test_what_the_caller_gave_is_shown_to_who_asks_for_it_and_that_is_on_record(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    for argv in (("show", DEPOSIT), ("list",), ("show", DEPOSIT, "--json"), ("list", "--json")):
        text = effects(*argv)
        assert not [secret for secret in ("Jane Doe", "+1555", "arguments", "args", "hidden") if secret in text]
    assert place.ask("SELECT who FROM ledger_reveals") == []
    text = effects("show", DEPOSIT, "--reveal")
    assert "caller +15550142, called +15550100; it is recorded that ann saw this" in text
    assert '    arguments {"when": "2026-11-24T10:00", "name": "Jane Doe"}' in text
    assert set(place.ask("SELECT who FROM ledger_reveals")) == {"ann"}


def test_who_looks_is_told_by_the_system_and_not_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("USER", "bob")
    monkeypatch.setenv("LOGNAME", "bob")
    assert cli._user() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert cli._user() == "uid 4000000"


def test_machines_get_columns_words_history_and_orders(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    effects("resolve", DEPOSIT, "--has", "no", "--why", "not in the till", "--who", "bea")
    whole = json.loads(effects("show", DEPOSIT, "--json", "--reveal"))
    assert (whole["call"], whole["stuck"], whole["caller"]) == (CALL, True, "+15550142")
    _, deposit, _ = whole["effects"]
    assert (deposit["state"], deposit["fact"], deposit["verdict"], deposit["args"]) == (
        "STUCK",
        "sent",
        "keep",
        '{"amount": 20}',
    )
    assert deposit["next"] == "a human: look at the remote, then resolve it"
    assert [change["fact"] for change in deposit["history"]] == ["unsent", "unsent", "sent", "sent"]
    (order,) = deposit["orders"]
    assert (order["verb"], order["has"], order["who"], order["why"], order["outcome"]) == (
        *("resolve", False, "bea", "not in the till"),
        "",
    )


# ── retry, resolve ───────────────────────────────────────────────────────────────────────────────────────────────────


def refused(effects: Run, *argv: str) -> str:
    with pytest.raises(OperatorError) as told:
        effects(*argv)
    return str(told.value)


def resolve(name: str, has: str = "no") -> tuple[str, ...]:
    return ("resolve", name, "--has", has, "--why", "I looked")


@pytest.mark.parametrize("argv", [("show", "nothing"), ("retry", "nothing"), resolve("nothing"), ("list", "--call", "nothing")])
def test_what_is_not_there_is_told_with_where_to_look(place: Place, effects: Run, argv: tuple[str, ...]) -> None:
    place.open()
    assert "'nothing'. Mend: `agentd effects list --all` shows those it has." in refused(effects, *argv)


@pytest.mark.parametrize("argv", [("retry", CALL), resolve(CALL)])
def test_an_order_is_for_an_effect_and_not_for_a_call(place: Place, effects: Run, argv: tuple[str, ...]) -> None:
    a_deposit_that_nobody_knows_of(place)
    assert "this is a call. Mend: name one of its effects" in refused(effects, *argv)


@pytest.mark.parametrize("argv", [("retry", "r1"), resolve("r1"), resolve("r1", "yes")])
def test_what_is_not_stuck_takes_no_order(place: Place, effects: Run, argv: tuple[str, ...]) -> None:
    place.open().write(call(), [kept(row("r1"))], ended=True)
    assert "book r1: it is not stuck: done. Mend: there is nothing to do" in refused(effects, *argv)
    assert place.ask("SELECT n FROM ledger_orders") == []


def test_an_order_for_a_call_that_is_not_over_waits_for_its_end(place: Place, effects: Run) -> None:
    place.open().write(call(), [replace(row("r1"), fact=Fact.SENT, stuck=True)])
    assert "its call is not over, or no agentd has taken it over yet. Mend: wait" in refused(effects, *resolve("r1"))


def test_what_would_be_done_twice_is_not_tried_again(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    complaint = refused(effects, "retry", DEPOSIT)
    assert "without doing it twice" in complaint
    assert f"Mend: `agentd effects resolve {DEPOSIT} --has yes|no --why TEXT`." in complaint
    assert place.ask("SELECT n FROM ledger_orders") == []


@pytest.mark.parametrize("argv", [("retry", BOOKING), resolve(BOOKING, "yes")])
def test_what_goes_with_a_pivot_is_resolved_with_it(place: Place, effects: Run, argv: tuple[str, ...]) -> None:
    a_deposit_that_nobody_knows_of(place)
    assert f"it is one incident with deposit, whose answer decides both. Mend: retry or resolve {DEPOSIT}." in refused(
        effects, *argv
    )


def test_who_resolves_says_what_they_have_seen(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    assert "--why: it says nothing" in refused(effects, "resolve", DEPOSIT, "--has", "no", "--why", " ")


def test_an_order_tells_what_follows_for_the_whole_incident(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    assert (
        effects(*resolve(DEPOSIT))
        == f"""\
Ordered: deposit (pivot) is resolved: the remote does not have it, as ann has seen.
  book (held)              STUCK → letting go
  deposit (pivot)          STUCK → failed
An agentd that runs on this ledger takes it up within seconds; what came of it:
  agentd effects show {DEPOSIT}
"""
    )


def test_what_was_let_go_cannot_be_kept_by_an_operator_and_that_is_said(place: Place, effects: Run) -> None:
    a_booking_that_could_not_be_undone(place)
    text = effects(*resolve(BOOKING, "yes"))
    assert "It was let go (retracted), and a verdict is given once: it is not kept by this, it is undone once more." in text
    assert "book (compensable)       STUCK → letting go" in text


# ── The agentd that owns the call ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Hands:
    """A remote that is well again; `asked` is what it was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, row: Row, ask: Ask) -> Answer:
        self.asked.append((row.id, ask.value))
        await trio.sleep(0.1)
        return Done("{}")


async def carried_out(story: Story) -> Hands:
    """The janitor of the process that owns the story's call, for some seconds."""
    hands, wall = Hands(), datetime.fromtimestamp(NOON, UTC)

    def hands_of(facts: CallFacts) -> Hands:
        return hands

    janitor = Janitor(
        Ledger(story.store, Inline()), hands_of, lambda name: False, lambda: wall, lambda census: None, lambda rows: None, 30.0
    )
    with trio.move_on_after(10):
        async with open_jobs() as jobs:
            jobs.start(janitor.run)
            await trio.sleep_forever()
    return hands


async def test_a_running_agentd_tries_again_what_it_is_told_to(place: Place, effects: Run, autojump_clock: MockClock) -> None:
    story = a_text_that_nobody_takes(place)
    assert "text_me (deferred)       STUCK → keeping" in effects("retry", TEXT)
    hands = await carried_out(story)
    assert hands.asked == [(TEXT, "act")]
    text = effects("show", TEXT)
    assert "  done (told)                text_me (deferred)" in text
    assert "by ann: retry: taken up" in text
    assert effects("list") == "Nothing is unsettled.\n"


async def test_a_running_agentd_believes_who_has_looked(place: Place, effects: Run, autojump_clock: MockClock) -> None:
    story = a_deposit_that_nobody_knows_of(place)
    effects(*resolve(DEPOSIT))
    hands = await carried_out(story)
    assert hands.asked == [(BOOKING, "undo")]
    case = incidents.of(place.open(), CALL)
    assert case is not None
    assert [(one.verdict.value, one.fact.value) for one in case.rows[:2]] == [("drop", "absent"), ("keep", "absent")]


async def test_what_was_let_go_stays_let_go_whatever_an_operator_has_seen(
    place: Place, effects: Run, autojump_clock: MockClock
) -> None:
    story = a_booking_that_could_not_be_undone(place)
    effects(*resolve(BOOKING, "yes"))
    hands = await carried_out(story)
    assert hands.asked == [(BOOKING, "undo")]
    assert "  let go (retracted)         book (compensable)" in effects("show", BOOKING)


# ── The command line and the runbook ─────────────────────────────────────────────────────────────────────────────────


def test_the_command_finds_the_ledger_of_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert agentd.main(["effects", "list", "--out", str(tmp_path)]) == 1
    assert "there is no ledger here. Mend: name the calls' folder with --out DIR" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"
    settings = agentd._settings("agentd", "", ["--out", str(tmp_path)])
    store = cli.store_of(settings)
    store.write(call(), [replace(row("r1"), fact=Fact.UNDOING, verdict=Verdict.DROP, why="late", stuck=True)], ended=True)
    assert agentd.main(["effects", *resolve("r1", "yes"), "--out", str(tmp_path)]) == 0
    assert "as ann has seen" in capsys.readouterr().out
    assert agentd.main(["effects", "show", "r2", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("agentd: ID: the ledger has no effect and no call 'r2'.")
    store.close()


def test_the_runbook_shows_what_is_printed(place: Place, effects: Run) -> None:
    a_deposit_that_nobody_knows_of(place)
    examples = re.findall(r"^\$ agentd effects (.+)\n((?:(?!```|\$ ).*\n)+)", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert len(examples) >= 2
    for command, printed in examples:
        argv = [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', command)]
        assert effects(*argv).strip() == printed.strip(), command
