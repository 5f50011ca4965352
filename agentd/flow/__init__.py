"""The flow kit: what a flow module is written in, checked and run by.

A flow's author imports everything from here; `flows/receptionist.py` is an example to read.
"""

from agentd.errors import ToolError, ToolGone, ToolNotSent, ToolRefused
from agentd.flow.context import Context
from agentd.flow.declare import FILLED, STUCK_AFTER, Answer, State, When
from agentd.flow.declaring import compensable, deferred, held, pivot
from agentd.flow.effects import EffectTool, Hold
from agentd.flow.listening import DICTATION, OPEN, YES_NO, Listening
from agentd.flow.loading import load
from agentd.flow.model import Allowed, Flow
from agentd.flow.moments import Moment
from agentd.flow.notes import Notes
from agentd.flow.refusal import Refused
from agentd.flow.service import Service
from agentd.flow.slots import Slots, slot
from agentd.flow.spoken import FreeText, SpokenDate, SpokenName, SpokenNumber, SpokenPhone, SpokenTime, YesNo
from agentd.flow.tools import Tool, read

__all__ = [
    "DICTATION",
    "FILLED",
    "OPEN",
    "STUCK_AFTER",
    "YES_NO",
    "Allowed",
    "Answer",
    "Context",
    "EffectTool",
    "Flow",
    "FreeText",
    "Hold",
    "Listening",
    "Moment",
    "Notes",
    "Refused",
    "Service",
    "Slots",
    "SpokenDate",
    "SpokenName",
    "SpokenNumber",
    "SpokenPhone",
    "SpokenTime",
    "State",
    "Tool",
    "ToolError",
    "ToolGone",
    "ToolNotSent",
    "ToolRefused",
    "When",
    "YesNo",
    "compensable",
    "deferred",
    "held",
    "load",
    "pivot",
    "read",
    "slot",
]
