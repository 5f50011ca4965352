"""The rule-based thinker: reads the flow's own phrases and needs no model."""

from agentd.flow.model import Flow
from agentd.providers.rules.thinker import RulesThinker


def thinker(flow: Flow) -> RulesThinker:
    """A thinker for one flow."""
    return RulesThinker(flow)
