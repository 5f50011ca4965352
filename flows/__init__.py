"""Flows that come with agentd, one module each."""
