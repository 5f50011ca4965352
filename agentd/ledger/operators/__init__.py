"""What operators see of the ledger, and ask of it."""
