"""The remote of the ledger's model check: what it knows of each key, and what a request does there.

It keeps its word and nothing more: it knows a key again only where it honours keys, and refuses what was undone only where an
undo leaves a tombstone. What it is asked twice otherwise, it does twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from agentd.ledger.events import Answer, Ask, Done, Found, No
from agentd.ledger.row import Kind, Row, Traits


class Thing(NamedTuple):
    """What the remote knows of one key. `net` counts how often it was done less how often undone."""

    net: int = 0
    confirmed: bool = False
    seen: str = ""
    undone: bool = False
    tomb: bool = False


Remote = tuple[tuple[str, Thing], ...]


def thing(remote: Remote, key: str) -> Thing:
    """What the remote knows of a key."""
    return dict(remote).get(key, Thing())


def put(remote: Remote, key: str, known: Thing) -> Remote:
    """The remote with something else known of that key."""
    return tuple(sorted({**dict(remote), key: known}.items()))


def arrives(remote: Remote, row: Row, ask: Ask, *, tombs: bool, refuses: bool = False) -> Iterator[tuple[Remote, Answer]]:
    """What a request may do there, and its answer. `tombs`: tombstones are left where they are promised. `refuses`: it may
    also be refused."""
    back = row.kind is Kind.TAKE_BACK
    key, traits = row.of if back else row.id, row.traits
    known = thing(remote, key)
    if ask is Ask.STATUS:
        yield remote, _found(known, back=back)
        return
    undoes = ask is Ask.UNDO or back
    if undoes:
        after, answer = undo(known, traits, tombs=tombs)
    elif ask is Ask.CONFIRM:
        after, answer = confirm(known, traits)
    else:
        after, answer = do(known, traits, held=row.kind is Kind.HELD)
    yield put(remote, key, after), answer
    if refuses and isinstance(answer, Done) and not (known.seen and traits.honours_key):
        if ask is Ask.CONFIRM:
            known = lapsed(known)  # it was promised, and what is not confirmed ends
        elif traits.stores_refusals and not undoes:
            known = known._replace(seen="no")
        yield put(remote, key, known), No("refused")


def _found(known: Thing, *, back: bool) -> Found:
    """What it says when it is asked; a take-back is there where the other is absent."""
    if back:
        return Found.ABSENT if known.net else Found.THERE
    return Found.CONFIRMED if known.confirmed else Found.THERE if known.net else Found.ABSENT


def do(known: Thing, traits: Traits, *, held: bool) -> tuple[Thing, Answer]:
    """Do it, once more if the key is not honoured."""
    done = Done("{}", 60.0, 1.0) if held else Done("{}")
    if known.tomb:
        return known, No("its key was undone")
    if traits.honours_key and known.seen:
        return known, done if known.seen == "done" else No("refused before")
    return known._replace(net=known.net + 1, seen="done"), done


def confirm(known: Thing, traits: Traits) -> tuple[Thing, Answer]:
    """Confirm what is held; what was confirmed is done twice, unless the key is honoured."""
    if known.confirmed:
        return known if traits.honours_key else known._replace(net=known.net + 1), Done("{}")
    if known.net:
        return known._replace(confirmed=True), Done("{}")
    return known, No("there is no such hold")


def undo(known: Thing, traits: Traits, *, tombs: bool) -> tuple[Thing, Answer]:
    """Undo it, once more if neither key nor tombstone tells that it was undone; a tombstone refuses a later do."""
    tomb = tombs and traits.tombstone
    if known.net:
        return Thing(known.net - 1, seen=known.seen, undone=True, tomb=tomb), Done()
    if known.undone and not (traits.honours_key or traits.tombstone):
        return known._replace(net=known.net - 1), Done()
    return known._replace(undone=True, tomb=tomb), Done()


def lapsed(known: Thing) -> Thing:
    """What its time to live leaves of a hold."""
    return known if known.confirmed or not known.net else known._replace(net=known.net - 1)
