"""A flow's hands: a row's request as a call of its tool's function, and what that gives or raises as the world's answer."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import trio
from pydantic import BaseModel
from pydantic_core import to_json

from agentd.errors import EngineStalled, ProviderError, ToolError, ToolGone, ToolNotSent, ToolRefused
from agentd.flow.arguments import Function
from agentd.flow.context import Context
from agentd.flow.effects import EffectTool, Hold, Part
from agentd.flow.model import Flow
from agentd.ledger.events import Answer, Ask, Done, Found, No, NotSent, Unknown
from agentd.ledger.row import Kind, Row
from agentd.offload import Offload

EXPIRED: Final = 0.001
"""What is left of a hold that the remote says has ended, in seconds: it ends at once, and not never."""


class FlowHands:
    """Sends the requests of one call's rows by the flow's tools: those of a live call, or of one that is long over.

    `call_from` and `call_to` are what the carrier said of the call, `wall` the time of day.
    """

    def __init__(
        self, flow: Flow, offload: Offload, wall: Callable[[], datetime], *, call_from: str = "", call_to: str = ""
    ) -> None:
        self._flow, self._offload, self._wall = flow, offload, wall
        self._call_from, self._call_to = call_from, call_to

    async def send(self, row: Row, ask: Ask) -> Answer:
        """See Hands. What the flow has no function for any more is unknown: a human must look.

        Cancelled: whether the request was carried out is not known; a function in a thread runs to its end there.
        """
        try:
            tool, function, args = self._function(row, part_of(row, ask))
        except ToolError as error:
            return Unknown(str(error))
        began = self._wall().timestamp()
        context, result = self._context(row, ask), json.loads(row.result) if row.result else None
        try:
            given = await self._call(function, context, args, result, row.traits.timeout)
            if ask is Ask.STATUS:
                return _found(given, row)
            return self._done(given, tool.ttl if row.kind is Kind.HELD and ask is Ask.DO else 0.0, began)
        except ToolGone as gone:
            if ask is Ask.STATUS:
                return _found(Found.ABSENT, row)
            return Done() if part_of(row, ask) in (Part.UNDO, Part.CANCEL) else No(str(gone))
        except ToolRefused as refused:
            return Unknown(str(refused)) if ask is Ask.STATUS else No(str(refused))
        except ToolNotSent as unsent:
            return NotSent(str(unsent))
        except (trio.TooSlowError, EngineStalled):
            return Unknown(f"{tool.name} gave no answer within {row.traits.timeout:g} s")
        except Exception as error:  # the tool boundary: whatever broke, the request may have been carried out
            return Unknown(_told(error))

    def _function(self, row: Row, part: Part) -> tuple[EffectTool, Function, BaseModel]:
        """What is to be called, with what; ToolError where the flow does not have it any more."""
        tool = self._flow.tools.get(row.tool)
        if not isinstance(tool, EffectTool):
            raise ToolError(f"the flow has no tool {row.tool!r} that could {part} anything")
        if part not in tool.parts:
            raise ToolError(f"the tool {row.tool!r} has no {part} any more")
        return tool, tool.parts[part], tool.read_args(row.args)

    def _context(self, row: Row, ask: Ask) -> Context:
        effect = row.of if row.kind is Kind.TAKE_BACK else row.id
        keys = {Ask.CONFIRM: f"{row.id}.confirm", Ask.UNDO: row.undo_key}
        key = row.undo_key if row.kind is Kind.TAKE_BACK and ask is Ask.ACT else keys.get(ask, effect)
        return Context(
            self._wall().astimezone(self._flow.zone),
            call_from=self._call_from,
            flow=self._flow,
            call_to=self._call_to,
            call=row.call,
            key=key,
            effect=effect,
        )

    async def _call(self, function: Function, context: Context, args: BaseModel, result: Any, timeout: float) -> Any:
        """Run a function within `timeout` seconds. Cancelled: as `send`."""
        if not function.blocking:
            with trio.fail_after(timeout):
                pending: Awaitable[Any] = function.call(context, args, result)
                return await pending
        turn = threading.Lock()  # whoever takes it decides: the function begins, or it never will

        def run() -> Any:
            return function.call(context, args, result) if turn.acquire(blocking=False) else None

        try:
            return await self._offload(run, timeout=timeout, stage=function.name)
        except ProviderError as error:
            if turn.acquire(blocking=False):
                raise ToolNotSent("no thread was free to send it") from error
            raise

    def _done(self, given: Any, ttl: float, began: float) -> Done:
        """What a function returned, as an answer; of a hold, with the time that is left of it."""
        result = given.result if isinstance(given, Hold) else given
        text = "" if result is None else to_json(result).decode()
        if not ttl:
            return Done(text)
        expires = began + ttl
        if isinstance(given, Hold):
            local = given.expires if given.expires.tzinfo else given.expires.replace(tzinfo=self._flow.zone)
            expires = local.timestamp()
        return Done(text, max(EXPIRED, expires - self._wall().timestamp()), expires)


def part_of(row: Row, ask: Ask) -> Part:
    """The function of its tool that a row's request calls."""
    match ask:
        case Ask.STATUS:
            return Part.STATUS
        case Ask.CONFIRM:
            return Part.CONFIRM
        case Ask.UNDO:
            return Part.CANCEL if row.kind is Kind.HELD else Part.UNDO
    return Part.UNDO if row.kind is Kind.TAKE_BACK else Part.DO


def _found(given: Any, row: Row) -> Answer:
    """What a status function says, of the effect that it was asked about; a take-back is there where that one is absent."""
    word: Any = given.get("status") if isinstance(given, Mapping) else given
    try:
        found = Found(word)
    except ValueError:
        return Unknown(f'its status says neither "there", "confirmed" nor "absent", but {type(word).__name__}')
    if row.kind is not Kind.TAKE_BACK:
        return found
    return Found.THERE if found is Found.ABSENT else Found.ABSENT


def _told(error: Exception) -> str:
    """An error in words: a tool's own text; of any other its kind and place, since its text may hold what nobody may read."""
    if isinstance(error, ToolError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
