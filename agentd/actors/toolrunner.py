"""The tool runner: carries out what the flow's tools are asked to do, each within its own time.

Only tools that read run for now, so that nothing has to be undone: a tool goes on through a barge-in, and its outcome serves
the next reply.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Literal

import trio

from agentd.actors.kit import Mailbox, open_jobs
from agentd.errors import EngineStalled, ToolError
from agentd.flow.model import Flow
from agentd.flow.refusal import Refused
from agentd.messages import Outcome, RunTool, ToolDone
from agentd.offload import Offload

MOST: Final = 8
"""Tools of one call at the same time: a model that asks for more is confused."""

Status = Literal["done", "refused", "failed", "timeout"]


class ToolRunner:
    """One call's hands. `call_from` is who calls, as the carrier says."""

    def __init__(
        self, mailbox: Mailbox[RunTool], report: Mailbox[object], flow: Flow, offload: Offload, call_from: str
    ) -> None:
        self._mailbox, self._report, self._flow = mailbox, report, flow
        self._offload, self._call_from = offload, call_from

    async def run(self, provider: int) -> None:
        """Run tools until cancelled. Cancelled: a tool in a thread runs to its end there, and its result is dropped."""
        async with open_jobs() as jobs:
            while True:
                order = await self._mailbox.receive()
                if jobs.busy >= MOST:
                    now = trio.current_time()
                    await self._report.send(ToolDone(order.reply, Outcome(order.proposal, "refused", why="too many"), now, now))
                else:
                    jobs.start(self._carry_out, order)

    async def _carry_out(self, order: RunTool) -> None:
        """One tool and its one outcome. Cancelled: none is reported."""
        began = trio.current_time()
        result, status, why = await self._attempt(order)
        outcome = Outcome(order.proposal, status, result, why)
        await self._report.send(ToolDone(order.reply, outcome, began, trio.current_time()))

    async def _attempt(self, order: RunTool) -> tuple[Any, Status, str]:
        name, args = order.proposal.tool, order.proposal.args
        try:
            tool, checked = self._flow.check_tool(order.flow, name, args)
            context = self._flow.context(order.flow, self._flow.local(order.wall), self._call_from)
            if tool.blocking:
                # The thread is left alone a little later than the tool's own time, so that the time is told from a stall.
                return await self._offload(lambda: tool.call(context, checked), timeout=tool.timeout, stage=name), "done", ""
            with trio.fail_after(tool.timeout):
                pending: Awaitable[Any] = tool.call(context, checked)
                return await pending, "done", ""
        except Refused as refusal:
            return None, "refused", str(refusal)
        except (trio.TooSlowError, EngineStalled):
            return None, "timeout", f"{name} gave no answer in time"
        except Exception as error:  # the tool boundary: an author's bug is an outcome, not the end of a call
            return None, "failed", f"{type(error).__name__}: {error}" if not isinstance(error, ToolError) else str(error)
