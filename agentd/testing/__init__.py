"""What tests of flows are written with: whole calls in virtual time, on the real rules and a real ledger.

visit = beside(__file__, "visit.py")

@scripted(visit.FLOW)
async def test_what_is_taken_back_is_undone(call: Conversation) -> None:
    await call.says("i would like to book a visit on tuesday")
    await call.cuts_in("You are booked", "no, don't")
    await call.hears()
    (booking,) = call.effects
    assert (booking.fact, booking.verdict) == ("absent", "drop")
"""

from agentd.testing.conversation import Conversation, Unheard
from agentd.testing.scripts import beside, scripted

__all__ = ["Conversation", "Unheard", "beside", "scripted"]
