"""Rows in SQLite or PostgreSQL: owned, fenced, sealed and synced."""
