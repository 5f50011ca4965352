"""What the shipped flows' tools stand on."""
