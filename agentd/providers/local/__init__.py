"""The embedded engines: speech in and out with no key and no network."""
