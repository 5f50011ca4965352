"""What a human gets when a call is handed over."""
