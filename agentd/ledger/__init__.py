"""The ledger: every effect recorded, told and settled. Read README.md first."""
