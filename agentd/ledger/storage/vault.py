"""The vault: what a caller gave as arguments is on file only under a key.

A key is 32 random bytes in base64 (`openssl rand -base64 32`). Several, with commas between them, make a rotation: the first
one seals, all of them open. Where the ledger is a SQLite file and no key is set, one is made beside it: `ledger.sqlite.key`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from agentd.errors import OperatorError

ERASED: Final = "erased"
"""What stands in place of arguments, results and numbers whose time is over."""

HIDDEN: Final = "hidden"
"""What stands in their place for who has not asked to have them revealed."""

MAKE_A_KEY: Final = "make a key with `openssl rand -base64 32` and give it as ledger.key or in ledger.key_file"


class Vault:
    """Seals with the first of its keys and opens with any. Raises OperatorError where one is no key.

    A key has a name, which stands beside what it seals and gives nothing of it away: `name` is the sealing key's, `names` are
    those of all.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise OperatorError("the ledger's key is none", where="ledger.key", mend=f"{MAKE_A_KEY}.") from None
        named = [hashlib.sha256(b"agentd ledger name " + key.encode()).hexdigest()[:8] for key in keys]
        self.name, self.names = named[0], frozenset(named)
        self._digest_key = hashlib.sha256(b"agentd ledger digest " + keys[0].encode()).digest()

    def seal(self, plain: str) -> str:
        """`plain`, for nobody without the key; never twice the same."""
        return self._fernet.encrypt(_bytes(plain)).decode()

    def open(self, sealed: str) -> str:
        """What was sealed. Raises OperatorError where none of the keys opens it."""
        try:
            return self._fernet.decrypt(sealed).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise OperatorError(
                "something in the ledger is sealed with a key that is not given, or was tampered with",
                where="ledger.key",
                mend="add the key that was used before, behind a comma.",
            ) from None

    def digest(self, plain: str) -> str:
        """What stays of `plain` once it is erased: an HMAC-SHA256 in hex, by which it can be recognised, not read."""
        return hmac.new(self._digest_key, _bytes(plain), hashlib.sha256).hexdigest()


def _bytes(plain: str) -> bytes:
    return plain.encode("utf-8", "surrogatepass")  # whatever a model or a remote wrote


def open_vault(keys: str, beside: Path | None) -> Vault:
    """The vault of these keys (with commas between them); "": of the key in a file `beside`, which is made where it is absent.

    Raises OperatorError where there is no key and nothing to put one beside, or where the file cannot be read or made.
    """
    if not keys and beside is None:
        raise OperatorError("a ledger in PostgreSQL needs a key", where="ledger.key", mend=f"{MAKE_A_KEY}.")
    return Vault([key.strip() for key in (keys or _key_in(Path(f"{beside}.key"))).split(",") if key.strip()] or [""])


def _key_in(path: Path) -> str:
    try:
        if not path.exists():
            _make_key(path)
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no text"
        raise OperatorError(
            f"the ledger's key cannot be read or made ({why})", where=str(path), mend="check the folder and its rights."
        ) from None


def _make_key(path: Path) -> None:
    """The file appears whole, on the disk, or not at all; where two processes make one, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
