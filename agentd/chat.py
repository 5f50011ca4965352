"""`agentd flow chat`: hold a flow's conversation by typing, and see where it stands, what it knows and what the ledger holds.

The call is a whole one, in virtual time and on a ledger that is thrown away (`agentd.testing`); what its tools do is done. Time
stands still while a line is typed, with the agent's reply in the air: the line decides whether the reply is heard out.
"""

from __future__ import annotations

import importlib
import logging
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final

from agentd.flow.effects import Part
from agentd.flow.hands import part_of
from agentd.flow.loading import load
from agentd.flow.model import Flow
from agentd.flow.telling import changes, label
from agentd.ledger.events import Answer, Done, Found, No, NotSent, Unknown
from agentd.ledger.row import Kind, Row
from agentd.messages import ActorRestarted, Logged, Outcome, ReplyHeard, Said, ToolDone, UseTool
from agentd.testing.conversation import Conversation, Unheard
from agentd.testing.placing import place
from agentd.testing.rig import Asked

WIDTH: Final = 100
"""Columns of what is printed."""

MARGIN: Final = 8
"""Columns of who speaks, or what is told."""

COLUMNS: Final = (("fact", 11), ("verdict", 9), ("told", 9), ("why", 17))
"""What is shown of a row behind its name, and how wide."""

HELP: Final = """Type what the caller says. Time stands still meanwhile: the agent's reply is in the air, and is
heard out before you speak.

  an empty line     hear the reply out; once it is, say nothing until the agent speaks by itself
  /cut WORD text    speak over the reply, as soon as its WORD was heard: /cut booked no, wednesday
  /hangup           hang up at once, whatever is in the air (Ctrl-C)
  /quit             hear the reply out, and hang up (Ctrl-D)
  /help             show this
"""


def chat_main(name: str) -> int:
    """Chat with a flow, on the terminal or a pipe. Exit code 0; raises FlowError for a flow that cannot work, or breaks."""
    flow = load(name)
    chat = Chat(flow)
    if sys.stdin.isatty():
        with suppress(ImportError):  # where it is there, lines can be edited
            importlib.import_module("readline")
    print(f"{flow.name} ({flow.file}): you are the caller. Type what you say; /help tells more.\n")
    with _quiet():
        place(flow, chat.call, now(), chat.watch)
    return 0


def now() -> datetime:
    """The time of day at which the call begins."""
    return datetime.now(UTC)


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing is logged between the lines: all that matters is shown."""
    logger = logging.getLogger("agentd")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


class Chat:
    """One chat: who types, and the screen."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._shown: list[str] = []
        self._parts: list[Said] = []
        """What was heard of the reply so far."""
        self._heard = ""
        """The same, to be shown before what comes of it."""
        self._refusal = ""
        """What a tool answered last, if that was a no."""

    async def call(self, call: Conversation) -> None:
        """The caller's part. Cancelled: the call is cut."""
        self._call = call
        self._show_reply()
        while not call.over:
            try:
                await self._obey(_read())
            except (Unheard, ValueError) as error:
                _say("?", f"{error}.")
            except (EOFError, KeyboardInterrupt) as left:
                await self._leave(at_once=isinstance(left, KeyboardInterrupt))
        self._show_end()

    async def _obey(self, line: str) -> None:
        """Do what a line says. Cancelled: it is done in part."""
        match line.split(maxsplit=2):
            case ["/cut", word, text]:
                await self._cut_in(word, text)
            case ["/hangup"]:
                await self._leave(at_once=True)
            case ["/quit"]:
                await self._leave(at_once=False)
            case ["/help"]:
                print(HELP)
            case [first, *_] if first.startswith("/"):
                _say("?", f"{first} is no command, or wants other words behind it: /help tells.")
            case [_, *_]:
                await self._hear_out()
                await self._call.says(line)
                self._show_reply()
            case _ if self._call.in_the_air:
                await self._call.hears()
                self._show_heard()
                self._show_changes()
            case _:
                await self._call.stays_silent()
                self._show_reply()

    # ── What the caller does ─────────────────────────────────────────────────────────────────────────────────────────

    async def _hear_out(self) -> None:
        """Show what comes of it, if anything does. Cancelled: the reply is heard in part."""
        if self._call.in_the_air:
            await self._call.hears()
            self._show_changes()
            self._heard = ""

    async def _cut_in(self, word: str, text: str) -> None:
        """Cancelled: the text may be said in part."""
        if not self._call.in_the_air:
            raise Unheard("the reply was heard out already")
        if await self._call.cuts_in(word, text):
            self._show_heard()
            self._show_reply()
        else:
            _say("heard", "that stops nobody: the agent goes on")

    async def _leave(self, *, at_once: bool) -> None:
        """Cancelled: the call is cut."""
        if not at_once:
            await self._hear_out()
        if not self._call.over:
            await self._call.hangs_up()

    # ── The screen ───────────────────────────────────────────────────────────────────────────────────────────────────

    def watch(self, seen: Logged | Asked) -> None:
        """Show what tools are asked, as they are, and what breaks."""
        match seen:
            case Asked(row, ask, answer):
                self._refusal = answer.why if isinstance(answer, No) else ""
                self._show("tool", f"{self._name(row, part_of(row, ask))}: {_answered(answer)}")
            case Logged(event=ToolDone(outcome=Outcome(UseTool(_, tool, args), status, result, why))):
                if not changes(self._flow, tool) or (status == "refused" and why != self._refusal):
                    given = ", ".join(f"{name} {self._said(name, value)}" for name, value in args.items())
                    self._show("tool", f"{tool}{f' ({given})' if given else ''}: {why or _plain(result)}")
            case Logged(event=ActorRestarted(actor, why)):
                self._show("broken", f"the {actor}: {why}")
            case Logged(event=ReplyHeard()):
                self._heard = "all of it"
        if isinstance(seen, Logged):
            self._note_heard(seen.lines)

    def _note_heard(self, lines: tuple[Said, ...]) -> None:
        """A reply that is cut is heard in part when the caller's own words are taken."""
        for line in lines:
            if line.who == "agent":
                self._parts.append(line)
            elif line.who == "caller":
                if self._parts and self._parts[-1].cut:
                    self._heard = " ".join(part.text for part in self._parts) + " —"
                self._parts.clear()

    def _show(self, what: str, text: str) -> None:
        self._show_heard()
        _say(what, text)

    def _show_heard(self) -> None:
        if self._heard:
            _say("heard", self._heard)
        self._heard = ""

    def _show_reply(self) -> None:
        if self._call.reply:
            _say("agent", self._call.reply)
        self._show_standing()

    def _show_standing(self) -> None:
        self._shown = self._standing()
        for line in self._shown:
            print(line)

    def _show_changes(self) -> None:
        """What has become of a reply, once it was heard."""
        before, self._shown = self._shown, self._standing()
        changed = [line for line in self._shown if line not in before]
        if changed:
            self._show_heard()
        for line in changed:
            print(line)

    def _show_end(self) -> None:
        target = self._call.transferred
        where = f", to {target} ({self._flow.transfers.get(target, '')})" if target else ""
        _say("over", f"{self._call.outcome}{where}")
        self._show_changes()

    def _standing(self) -> list[str]:
        """Where the flow stands, and the ledger."""
        call = self._call
        known = [f"{name}: {self._said(name, value)}" for name, value in call.slots.items()]
        rows = [*call.effects, *call.notices]
        lines = [*_lines("flow", ", ".join([call.state, *known]))]
        if rows:
            lines.append(_columns("ledger", "effect", [name for name, _ in COLUMNS]))
            lines += [_columns("", self._name(row), self._cells(row)) for row in rows]
        for owed in call.owed:
            lines += _lines("owed", owed)
        return lines

    def _said(self, name: str, value: Any) -> str:
        """A value as its slot says it."""
        return self._flow.said(name, value, self._call.now) if name in self._flow.slots else str(value)

    def _name(self, row: Row, part: Part = Part.DO) -> str:
        """An effect, or one of its tool's functions, with the arguments."""
        if row.kind is Kind.NOTICE:
            return f"notice of {next(label(self._flow, one, self._call.now) for one in self._call.effects if one.id == row.of)}"
        tool, _, args = label(self._flow, row, self._call.now).partition(" (")
        asked = tool if part is Part.DO else f"{row.tool}.{part}"
        return f"{asked} ({args}" if args else asked

    def _cells(self, row: Row) -> list[str]:
        why = "STUCK" if row.stuck else "taken back" if row.taken_back else row.why
        return [row.fact.value, row.verdict.value, row.told.value, why]


def _read() -> str:
    """The next line. Raises EOFError where there is none, KeyboardInterrupt where the caller has enough."""
    prompt = "you".ljust(MARGIN)
    if sys.stdin.isatty():
        try:
            return input(prompt)
        except (EOFError, KeyboardInterrupt):
            print()
            raise
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    line = line.strip()
    print(f"{prompt}{line}".rstrip())
    return line


def _say(who: str, text: str) -> None:
    print("\n".join(_lines(who, text)), flush=True)


def _lines(who: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=who.ljust(MARGIN), subsequent_indent=" " * MARGIN) or [who]


def _columns(what: str, name: str, cells: list[str]) -> str:
    wide = WIDTH - MARGIN - sum(width for _, width in COLUMNS)
    name = name if len(name) < wide else f"{name[: wide - 2]}…"
    cells = [cell.ljust(width) for cell, (_, width) in zip(cells, COLUMNS, strict=True)]
    return f"{what.ljust(MARGIN)}{name.ljust(wide)}{''.join(cells)}".rstrip()


def _plain(result: Any) -> str:
    """What a tool has found."""
    found = ", ".join(map(str, result)) if isinstance(result, (list, tuple)) else str(result)
    return "nothing" if result is None or not found else found


def _answered(answer: Answer) -> str:
    """What came of a request, in words."""
    match answer:
        case Done():
            return "done"
        case No(why):
            return f"refused: {why}"
        case NotSent(why):
            return f"not sent: {why}"
        case Unknown(why):
            return f"nobody knows: {why}"
        case Found():
            return answer.value
