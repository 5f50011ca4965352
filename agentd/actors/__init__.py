"""The actors of one call: transport, listener, thinker, speaker, tool runner, conductor; and the kit they stand on."""
