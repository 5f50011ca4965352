"""What the ledger's model check walks through: each scenario is a corner of the specification with the trouble it fears."""

from __future__ import annotations

from typing import Final

from agentd.ledger.events import Ask, Clock, Entered, Retracted, Says, TakenBack
from agentd.ledger.row import Kind
from tests.laws.ledger_world import Fault, Scenario, effect

COMPENSABLE, HELD, DEFERRED, PIVOT = Kind.COMPENSABLE, Kind.HELD, Kind.DEFERRED, Kind.PIVOT
ASSENT, NO, RETRACT, OTHER = Says
SPEECH: Final = frozenset({Clock.GUARD, Clock.FREEZE})
HOLD: Final = frozenset({*SPEECH, Clock.RETRY, Clock.STALE, Clock.EXPIRES})
ANY: Final = frozenset(Clock)
KEYED: Final = {"honours_key": True}
BURIED: Final = {"status": True, "tombstone": True}
REFUSES: Final = frozenset({Ask.DO, Ask.ACT})
ROUGH: Final = frozenset({Fault.LOST, Fault.LATE})

SCENARIOS: Final = (
    Scenario(
        "one effect, told, and every kind of words",
        {"a": effect("a", COMPENSABLE), "retract a": Retracted("a"), "elsewhere": Entered(frozenset())},
        says=(ASSENT, NO, RETRACT, OTHER), turns=2, crashes=1, clocks=ANY,
    ),
    Scenario(
        "two effects at once",
        {"a": effect("a", COMPENSABLE, **KEYED), "b": effect("b", COMPENSABLE, on_doubt="drop")},
        says=(ASSENT, RETRACT, OTHER), refuses=REFUSES,
    ),
    Scenario(
        "a hold that asks, goes stale, and ends",
        {"a": effect("a", HELD, keep_on="yes", **KEYED)},
        says=(ASSENT, NO, OTHER), clocks=HOLD, lossy=False,
    ),
    Scenario(
        "a hold that is told, and what needs it",
        {"a": effect("a", HELD, **KEYED), "text": effect("text", DEFERRED, needs=("a",))},
        says=(ASSENT, RETRACT), clocks=HOLD, marks=2, lossy=False,
    ),
    Scenario(
        "a text that needs a booking",
        {"a": effect("a", COMPENSABLE, **KEYED), "text": effect("text", DEFERRED, needs=("a",), **KEYED)},
        says=(ASSENT, RETRACT, OTHER), refuses=REFUSES, faults=frozenset({Fault.LOST}),
    ),
    Scenario(
        "Tuesday, Wednesday, Thursday",
        {
            "tue": effect("tue", COMPENSABLE, tool="book"),
            "wed": effect("wed", COMPENSABLE, tool="book", replaces="tue"),
            "thu": effect("thu", COMPENSABLE, tool="book", replaces="wed"),
        },
        says=(ASSENT, OTHER), refuses=frozenset({Ask.DO}), marks=2, lossy=False,
    ),
    Scenario(
        "Wednesday in place of a Tuesday that may be kept",
        {"tue": effect("tue", HELD, tool="book"), "wed": effect("wed", HELD, tool="book", replaces="tue")},
        says=(ASSENT, RETRACT), refuses=frozenset({Ask.ACT}), marks=2, lossy=False, depth=18,
    ),
    Scenario(
        "only one at a time: the old first",
        {
            "tue": effect("tue", COMPENSABLE, tool="book", **KEYED),
            "wed": effect("wed", COMPENSABLE, tool="book", replaces="tue", old_first=True, **KEYED),
        },
        says=(ASSENT, NO), turns=2, refuses=frozenset({Ask.DO}), marks=4,
    ),
    Scenario(
        "another text in place of the first",
        {
            "a": effect("a", DEFERRED, tool="text", **KEYED),
            "b": effect("b", DEFERRED, tool="text", replaces="a", **KEYED),
        },
        says=(ASSENT, RETRACT), turns=2, crashes=1,
    ),
    Scenario(
        "a deposit that needs a hold that runs out",
        {"hold": effect("hold", HELD, **KEYED), "pay": effect("pay", PIVOT, needs=("hold",), **KEYED)},
        says=(ASSENT,), refuses=frozenset({Ask.ACT}), clocks=ANY, marks=1, lossy=False, hang_up=False, depth=13,
    ),
    Scenario(
        "a deposit that the caller wants back at once",
        {
            "hold": effect("hold", HELD), "pay": effect("pay", PIVOT, needs=("hold",)), "not hold": Retracted("hold"),
            "back": TakenBack("back", "use of back", "pay"), "elsewhere": Entered(frozenset()),
        },
        says=(ASSENT, RETRACT), turns=2, refuses=frozenset({Ask.ACT}), marks=1, lossy=False, depth=13,
    ),
    Scenario(
        "a deposit whose outcome nobody knows",
        {"hold": effect("hold", COMPENSABLE), "pay": effect("pay", PIVOT, needs=("hold",))},
        says=(ASSENT,), clocks=ANY, faults=ROUGH, human=True, marks=1, lossy=False, crashes=1,
    ),
    Scenario(
        "a deposit for a Tuesday that becomes a Wednesday",
        {
            "tue": effect("tue", COMPENSABLE, tool="book"),
            "pay": effect("pay", PIVOT, needs=("book",)),
            "wed": effect("wed", COMPENSABLE, tool="book", replaces="tue"),
        },
        says=(ASSENT,), refuses=frozenset({Ask.ACT, Ask.DO}), marks=2,
    ),
    Scenario(
        "two deposits on one hold",
        {
            "hold": effect("hold", HELD), "pay": effect("pay", PIVOT, needs=("hold",)),
            "tip": effect("tip", PIVOT, needs=("hold",)),
        },
        says=(ASSENT,), turns=2, refuses=frozenset({Ask.ACT}), marks=2, lossy=False,
    ),
    Scenario(
        "a text for what is taken back",
        {
            "a": effect("a", COMPENSABLE), "text": effect("text", DEFERRED, needs=("a",)),
            "back": TakenBack("back", "use of back", "a"),
        },
        says=(ASSENT,), refuses=frozenset({Ask.ACT}),
    ),
    Scenario(
        "the same act proposed again",
        {"a": effect("a", COMPENSABLE), "again": effect("again", COMPENSABLE, tool="a", identity="a"), "not a": Retracted("a")},
        says=(ASSENT, NO), turns=2, faults=frozenset({Fault.UNSENT}),
    ),
    Scenario(
        "taken back",
        {"a": effect("a", HELD, keep_on="yes", **KEYED), "back": TakenBack("back", "use of back", "a")},
        says=(ASSENT,), faults=ROUGH, refuses=frozenset({Ask.ACT}), human=True,
    ),
    Scenario(
        "told again and again, then asked",
        {"a": effect("a", COMPENSABLE)},
        says=(ASSENT, OTHER), turns=3, marks=5, depth=16,
    ),
    Scenario(
        "owners that die one after the other",
        {"a": effect("a", COMPENSABLE, **KEYED), "b": effect("b", DEFERRED, needs=("a",), **BURIED)},
        crashes=2, faults=frozenset({Fault.LATE}), human=True, marks=1, lossy=False,
    ),
)  # fmt: skip

UNKNOWN: Final = tuple(
    Scenario(
        f"unknown outcomes of a {kind} ({', '.join(sorted(traits)) or 'neither key nor status'})",
        {"a": effect("a", kind, **dict.fromkeys(traits, True)), "not a": Retracted("a")},
        says=(ASSENT,) if kind in {DEFERRED, PIVOT} else (),
        crashes=1, faults=frozenset(Fault), refuses=frozenset(Ask), marks=1, lossy=False, depth=15 if kind is PIVOT else 12,
    )
    for kind in (COMPENSABLE, HELD, DEFERRED, PIVOT)
    for traits in (
        (), ("status",), ("tombstone",), ("status", "tombstone"), ("honours_key",), ("honours_key", "stores_refusals"),
        ("honours_key", "status", "tombstone"),
    )
)  # fmt: skip
"""Rule 14, for all that a remote may be capable of."""
