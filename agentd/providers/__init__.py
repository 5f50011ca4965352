"""Engines and vendors behind three small protocols (`base`), one a file."""
