"""Where the receptionist's tools do what they do: a calendar of our own, or the practice's booking service.

With no set-up it is the calendar, which needs no network. Where $ACME_DESK_URL names a service, each tool is a request to it,
signed with what $ACME_DESK_AUTHORIZATION holds.
"""

from __future__ import annotations

import os

from pydantic import BaseModel

from agentd.flow import Service, SpokenName, SpokenTime
from flows.tools.calendar import Calendar, Opening


class Wish(BaseModel):
    """What is looked for."""

    wanted: SpokenTime


class Appointment(BaseModel):
    """What is booked."""

    when: SpokenTime
    name: SpokenName


class Told(BaseModel):
    """What is confirmed in a text."""

    when: SpokenTime


class Remote:
    """The booking service at `url`, as tools: see `agentd.flow.service` for what its answers mean."""

    def __init__(self, url: str) -> None:
        to = Service(url, secrets={"Authorization": "ACME_DESK_AUTHORIZATION"}, allow_private=True).endpoint
        self.free_times = to("GET /free", name="free_times", args=Wish, query=["wanted"], about="Find free appointments.")
        self.book = to("POST /holds", name="book", args=Appointment, expires="expires_at", about="Book an appointment.")
        self.confirm = to("POST /holds/{effect}/confirm")
        self.cancel = to("DELETE /holds/{effect}")
        self.undo = to("DELETE /appointments/{effect}")
        self.status = to("GET /effects/{effect}")
        self.text = to("POST /texts", name="text", args=Told, about="Text a confirmation to the number that calls.")
        self.charge = to("POST /deposits", name="charge", about="Charge the deposit to the number that calls.")


def desk(opening: Opening) -> Calendar | Remote:
    """The desk of this installation; `opening` are the hours of the calendar, the service knows its own."""
    url = os.environ.get("ACME_DESK_URL")
    return Remote(url) if url else Calendar(opening)
