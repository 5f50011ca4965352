"""`agentd demo`: a daemon on loopback and three spoken calls, with the conversation and the ledger as they happen.

The daemon is a process of its own; the calls come from the simulated switch in this one. They share HTTP and a socket, and
the folder in which the daemon writes down what it heard, said and did.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

from agentd.actors.kit import run_all
from agentd.demo.books import HEAD, Books, Entry, short
from agentd.demo.process import Daemon
from agentd.demo.screen import Screen, say
from agentd.simulate.cli import place_call
from agentd.simulate.scenario import load

RECORD_S: Final = 10.0
"""The daemon closes a call's record within some seconds of its end."""


@dataclass(frozen=True, slots=True)
class Story:
    """A call: its scenario, what to look for in it, and what the ledger must hold in the end."""

    scenario: str
    title: str
    what: str
    ledger: tuple[Entry, ...]


STORIES: Final = (
    Story(
        "change",
        "“Actually, Wednesday”",
        "The caller says yes, and cuts the agent off. First Wednesday is got, and only then is Tuesday let go.",
        (
            Entry("book", "held", "Tue 10:00", "confirmed", "keep", "yes"),
            Entry("book", "held", "Wed 10:00", "confirmed", "keep", "yes"),
            Entry("book", "take_back", "Tue 10:00", "there", "keep", "yes"),
        ),
    ),
    Story(
        "price",
        "“How much is it?”",
        "A question in the middle of the question: it is answered, and the agent asks again. Then a no, and nothing is booked.",
        (Entry("book", "held", "Tue 10:00", "absent", "drop", "refused_by_caller"),),
    ),
    Story(
        "keep",
        "“Perfect, thanks”",
        "The agent is cut off here too, but “Tuesday at 10” was heard: that is a yes. The text leaves once it was told.",
        (
            Entry("book", "held", "Tue 10:00", "confirmed", "keep", "yes"),
            Entry("text", "deferred", "Tue 10:00", "there", "keep", "told"),
        ),
    ),
)

CALENDAR: Final = {("booked", "Tue 10:00"), ("booked", "Wed 10:00")}
"""The appointments that the stories end with."""


def main(argv: Sequence[str]) -> int:
    """Run the demo. Exit code 0: the calls came through, and the ledger holds what the stories say; 1: not so."""
    parser = argparse.ArgumentParser(
        prog="agentd demo",
        description="Start agentd on loopback and place three spoken calls, with the ledger beside them: no key, no network.",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("demo-out"), help="the calls' folder (%(default)s)")
    out: Path = parser.parse_args(list(argv)).out
    began = time.monotonic()
    say("Starting agentd on loopback, with the embedded engines: no key, no network.")
    with Daemon(out, secrets.token_urlsafe(24)) as daemon:
        folders = [_place(story, daemon) for story in STORIES]
        with Books(out) as books:
            _show_ledger(books, folders)
            wrong = _checked(books, folders)
        wrong += _show_calendar(daemon)
    _show_folders(out, folders, time.monotonic() - began)
    for line in wrong:
        say(f"This is not as it should be: {line}")
    return 1 if wrong else 0


def _place(story: Story, daemon: Daemon) -> Path | None:
    """One call, with its conversation as it happens; its folder, or None where it did not come through."""
    say(f"\n── {story.title} " + "─" * (94 - len(story.title)))
    say(f"   {story.what}\n")
    screen, why = Screen(daemon.out), ""

    async def call() -> None:
        nonlocal why
        report = await place_call(load(story.scenario), base_url=daemon.url, secret=daemon.secret, out=None, show=screen.note)
        why = "" if report.outcome == "completed" else report.why
        with trio.move_on_after(RECORD_S):
            await screen.closed()

    trio.run(run_all, call, partial(_follow, screen))
    screen.end()
    if why:
        say(f"   The call broke: {why}")
    return None if why or not screen.is_closed else screen.folder


async def _follow(screen: Screen) -> None:
    """Show what happens as it does. Cancelled: what is shown stands."""
    while True:
        screen.show()
        await trio.sleep(0.1)


def _checked(books: Books, folders: Sequence[Path | None], stories: Sequence[Story] = STORIES) -> list[str]:
    """What is not as the stories tell it."""
    wrong = []
    for story, folder in zip(stories, folders, strict=True):
        if folder is None:
            wrong.append(f"the call {story.title} did not come through.")
        elif (found := books.entries(folder.name)) != list(story.ledger):
            wrong.append(f"of {story.title} the ledger holds {found or 'nothing'}, not {[*story.ledger]}.")
    return wrong


def _show_ledger(books: Books, folders: Sequence[Path | None]) -> None:
    say("\n── The ledger: what was done, what was let go, and why " + "─" * 42)
    say("   fact: what the world holds · verdict: kept or let go, once and for good · told: how far the caller knows\n")
    say(f"     {HEAD}")
    for story, folder in zip(STORIES, folders, strict=True):
        if folder is not None:
            say(f"   {story.title}")
            for line in books.table(folder.name):
                say(f"     {line}")


def _show_calendar(daemon: Daemon) -> list[str]:
    """Print it; what is wrong with it."""
    held = daemon.calendar()
    say("\n── The calendar " + "─" * 81)
    for state, what, start, *name in held:
        say(f"   {short(start):<12}{state:<8}{what} {' '.join(name)}".rstrip())
    found = {(state, short(start)) for state, what, start, *_ in held if what == "appointment"}
    return [] if found == CALENDAR else [f"the calendar holds {found or 'no appointment'}, not {CALENDAR}."]


def _show_folders(out: Path, folders: Sequence[Path | None], seconds: float) -> None:
    say(f"\nThree calls in {seconds:.0f} s. What remains of them is in {out}/:")
    for folder in filter(None, folders):
        call = json.loads((folder / "call.json").read_text())
        say(f"  {folder}/  {call['outcome']}, {call['turns']} turns, {call['seconds']:.0f} s")
    say("In each: call.json, transcript.jsonl, recording.wav (caller left, agent right), spans.jsonl. Draw the last one with")
    say(f"  .venv/bin/agentd trace last --out {out}")
    say(f"and read the ledger with  .venv/bin/agentd effects list --all --out {out}")
