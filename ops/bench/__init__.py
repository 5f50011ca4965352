"""The bench: agentd's figures, each measured by one command on one machine, and written down as they are."""
