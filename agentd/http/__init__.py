"""One port for webhooks, health, metrics and media."""
