"""A process that owns a call of a ledger: `python -m tests.unit.ledger.owner URL CALL LEASE_S`, then commands on its input.

It has written one open row of the call when it says "ready"; `settle` writes that row settled, `renew` renews and `send` asks
whether a request of ten seconds may leave; each is answered by a line. `limit` caps the size of its files, `unlimit` ends that.
"""

from __future__ import annotations

import resource
import sys

from agentd.errors import AgentdError
from agentd.ledger.storage.store import Store, open_store
from agentd.ledger.storage.vault import Vault
from tests.unit.ledger.keeping import KEY, call, kept, row


def say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def answer(store: Store, name: str, fence: int, command: str) -> object:
    one = row(f"row-of-{name}", name)
    match command:
        case "settle":
            return store.write(call(name), [kept(one)], fence=fence)
        case "send":
            return store.may_send(name, 10.0, fence)
        case "limit" | "unlimit":
            most = 0 if command == "limit" else resource.RLIM_INFINITY
            return resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        case _:
            return store.renew()


def main() -> None:
    url, name, lease_s = sys.argv[1:]
    store = open_store(url, Vault((KEY,)), lease_s=float(lease_s))
    fence = store.write(call(name), [row(f"row-of-{name}", name)])
    say("ready")
    for line in sys.stdin:
        try:
            say(answer(store, name, fence, line.strip()))
        except AgentdError as error:
            say(type(error).__name__)


if __name__ == "__main__":
    main()
