"""Whom the conductor talks to: the other actors' mailboxes, and the event log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import trio

from agentd.actors.kit import Mailbox
from agentd.actors.listener import ListenerMessage
from agentd.actors.toolrunner import RunnerMessage
from agentd.actors.transport import Order
from agentd.messages import Audio, Logged, NewEpoch, ReplyEnd, Segment, ThinkRequest


class Log(Protocol):
    """Where the call's events go."""

    def write(self, entry: Logged) -> None:
        """Take the next line. Never waits, never raises."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The mailboxes of the other actors, and the transport's channel for lines that need no voice."""

    transport: Mailbox[Order]
    listener: Mailbox[ListenerMessage]
    thinker: Mailbox[ThinkRequest | NewEpoch]
    speaker: Mailbox[Segment | ReplyEnd | NewEpoch]
    tools: Mailbox[RunnerMessage]
    audio: trio.MemorySendChannel[Audio | ReplyEnd]
