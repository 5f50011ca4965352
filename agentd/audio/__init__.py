"""Audio as values: rings, playout, endpointing, WAV. No socket and no task lives here."""
