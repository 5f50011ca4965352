"""What a call leaves behind to be read: spans, metrics, transcript; computed from the conductor's event log."""
