"""How Sautikit signs a webhook: HMAC-SHA256 over the raw body, a dot and the time, in that order."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Sautikit-Signature"


def sign(secret: str, body: bytes, at: int) -> str:
    """The header's value for a body that is sent at Unix time `at`."""
    digest = hmac.new(secret.encode(), body + b"." + str(at).encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
