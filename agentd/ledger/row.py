"""The row: one effect, in three columns (fact, verdict, told), and what its tool declared of it.

Every value is frozen, hashable and plain, so that rows are compared, stored and explored as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What an effect is. The first four are what authors declare; the others the ledger opens by itself."""

    COMPENSABLE = "compensable"
    HELD = "held"
    DEFERRED = "deferred"
    PIVOT = "pivot"
    TAKE_BACK = "take_back"
    NOTICE = "notice"
    WEBHOOK = "webhook"


BEFORE: Final = frozenset({Kind.COMPENSABLE, Kind.HELD})
"""These act while they are open; all others act once they are kept."""

SPOKEN: Final = frozenset({Kind.COMPENSABLE, Kind.HELD, Kind.DEFERRED, Kind.PIVOT, Kind.TAKE_BACK})
"""These are told to the caller."""


class Fact(StrEnum):
    """What the world holds, as far as we know. Every arrow that sends is synced before it sends."""

    UNSENT = "unsent"
    SENT = "sent"
    THERE = "there"
    CONFIRMING = "confirming"
    CONFIRMED = "confirmed"
    UNDOING = "undoing"
    ABSENT = "absent"


class Verdict(StrEnum):
    """Given once, for ever."""

    OPEN = "open"
    KEEP = "keep"
    DROP = "drop"


class Told(StrEnum):
    """How far the caller knows."""

    NO = "no"
    ASKED = "asked"
    TELLING = "telling"
    TOLD = "told"


class Why(StrEnum):
    """What gave a row its verdict."""

    TOLD = "told"
    YES = "yes"
    ASSENT = "assent"
    PIVOT = "pivot"
    DOUBT = "doubt"
    BORN = "born"
    RETRACTED = "retracted"
    REFUSED_BY_CALLER = "refused_by_caller"
    REVISED = "revised"
    KEPT_OTHER = "kept_other"
    REFUSED = "refused"
    NEED = "need"
    LEFT = "left"
    LATE = "late"
    EXPIRED = "expired"
    UNHEARD = "unheard"
    UNTOLD = "untold"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a tool's author declared; it goes with the row, so that it can be settled when the flow has changed.

    `keep_on` is "told" or "yes". `honours_key`: the remote answers a repeated key with its first answer, refusals too where
    `stores_refusals`. `status`: it can be asked. `tombstone`: an undo refuses a later do of the same key. `undo`: it can be
    undone (before and after keep alike). Times in seconds: `timeout` of one request, `open_for` without a verdict.
    """

    keep_on: str = "told"
    honours_key: bool = False
    stores_refusals: bool = False
    status: bool = False
    tombstone: bool = False
    undo: bool = False
    on_doubt: str = "keep"
    repeat: str = "ask"
    old_first: bool = False
    timeout: float = 10.0
    open_for: float = 120.0


@dataclass(frozen=True, slots=True)
class Row:
    """One effect of one call. `id` is random and is the key that the remote gets.

    `seq` is its place in the call. `args` and `result` are JSON. `identity` tells sameness inside the ledger. `needs` are ids
    of rows, `replaces` the row that this one revises, `of` the row that a take-back undoes or a notice is about. `aware`: the
    caller took it back, or has heard that it is not so. `stale`: the hold has too little time left to be asked about;
    `refreshed`: it took the place of a stale one. `risky`: the caller is asked before it acts at all, and has agreed where
    `risked`. `use` is the tool call that still waits for its outcome. `sends` counts the requests of the arrow at hand that
    may have left, `tries` all attempts at it; `cuts` and `checks` its tellings that were cut and the questions whether to
    keep it. Times are epoch seconds.
    """

    id: str
    call: str
    seq: int
    tool: str
    kind: Kind
    traits: Traits = field(default_factory=Traits)
    args: str = "{}"
    identity: str = ""
    resource: str = ""
    needs: tuple[str, ...] = ()
    replaces: str = ""
    of: str = ""
    use: str = ""
    fact: Fact = Fact.UNSENT
    verdict: Verdict = Verdict.OPEN
    told: Told = Told.NO
    stuck: bool = False
    why: str = ""
    aware: bool = False
    noticed: bool = False
    stale: bool = False
    refreshed: bool = False
    risky: bool = False
    risked: bool = False
    taken_back: bool = False
    cuts: int = 0
    checks: int = 0
    sends: int = 0
    tries: int = 0
    result: str = ""
    error: str = ""
    opened: float = 0.0
    expires: float = 0.0

    @property
    def before(self) -> bool:
        """Whether it acts while it is open."""
        return self.kind in BEFORE

    @property
    def open(self) -> bool:
        """Whether it has no verdict yet."""
        return self.verdict is Verdict.OPEN

    @property
    def kept(self) -> bool:
        """Whether its verdict is keep."""
        return self.verdict is Verdict.KEEP

    @property
    def dropped(self) -> bool:
        """Whether its verdict is drop."""
        return self.verdict is Verdict.DROP

    @property
    def done(self) -> bool:
        """Whether the world has it for good, as its verdict wants."""
        return self.kept and self.fact is (Fact.CONFIRMED if self.kind is Kind.HELD else Fact.THERE)

    @property
    def failed(self) -> bool:
        """Kept, and refused for good."""
        return self.kept and self.fact is Fact.ABSENT

    @property
    def settled(self) -> bool:
        """Whether the world agrees with the verdict, or never will."""
        return self.done or (self.fact is Fact.ABSENT and not self.open)

    @property
    def in_flight(self) -> bool:
        """Whether a request was sent whose answer is not known."""
        return self.fact in {Fact.SENT, Fact.CONFIRMING, Fact.UNDOING}

    @property
    def undo_key(self) -> str:
        """The key under which it is undone: derived, so that a second undo, or a take-back, is the same one."""
        return f"{self.of if self.kind is Kind.TAKE_BACK else self.id}.undo"
