"""agentd: a phone agent in which every turn is a transaction."""
