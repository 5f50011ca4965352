"""`agentd effects list | show | retry | resolve`: what operators see of the ledger, and what they order.

It runs beside the daemon and owns nothing: an order is left in the ledger, and the agentd that owns the call carries it out.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

from agentd.errors import LedgerDown, OperatorError
from agentd.ledger.events import Resolved, Retried
from agentd.ledger.operators.report import Incident, age, clock
from agentd.ledger.row import SPOKEN, Row
from agentd.ledger.storage import incidents
from agentd.ledger.storage.codec import Case
from agentd.ledger.storage.engines import file_of
from agentd.ledger.storage.incidents import Order, Verb, Which
from agentd.ledger.storage.ledger import store_of
from agentd.ledger.storage.store import Store
from agentd.settings import Settings

WIDTH: Final = 100
MOST: Final = 100
"""Incidents in a list: more than anybody reads. Those with something stuck come first."""

_STEER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def existing(settings: Settings) -> Store:
    """Open the ledger of these settings, where there is one. Raises OperatorError."""
    url = settings.ledger.url.get_secret_value()
    file = file_of(url) if url else settings.calls.out / "ledger.sqlite"
    if file is not None and not file.exists():
        raise OperatorError(
            "there is no ledger here", where=str(file), mend="name the calls' folder with --out DIR, or set ledger.url."
        )
    return store_of(settings)


def main(argv: Sequence[str], opened: Callable[[], Store]) -> int:
    """Run one command on the ledger that is `opened` for it. Answers the exit status. Raises OperatorError."""
    args = _parser().parse_args(argv)
    try:
        with closing(opened()) as store:
            for line in _COMMANDS[args.command](store, args):
                sys.stdout.write(f"{line}\n")
    except LedgerDown as down:
        raise OperatorError(
            f"the ledger cannot be read or written ({down})", where="ledger", mend="wait, or see to its disk or its server."
        ) from down
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agentd effects", description="What calls have done, and what waits for a human.")
    commands = parser.add_subparsers(dest="command", required=True)

    listed = commands.add_parser("list", help="incidents: calls with something unsettled, what is stuck first")
    chosen = listed.add_mutually_exclusive_group()
    for which, what in {
        Which.OPEN: "with an effect that has no verdict yet",
        Which.STUCK: "with an effect that waits for a human",
        Which.OWED: "with a notice that is not sent yet",
        Which.ALL: "and those that are settled",
    }.items():
        chosen.add_argument(f"--{which}", dest="which", action="store_const", const=which, help=f"calls {what}")
    chosen.add_argument("--call", metavar="CALL", help="this call")
    listed.set_defaults(which=Which.UNSETTLED)

    shown = commands.add_parser("show", help="all that is known of an effect and of the others of its call")
    shown.add_argument("id", metavar="ID", help="an effect's id, or a call's")
    shown.add_argument(
        "--reveal", action="store_true", help="with arguments, results and numbers; that you saw them is recorded"
    )

    retry = commands.add_parser("retry", help="have a stuck effect tried again")
    resolve = commands.add_parser("resolve", help="say what became of a stuck effect; what was let go stays let go")
    for order in (retry, resolve):
        order.add_argument("id", metavar="ID", help="an effect's id")
    resolve.add_argument("--has", choices=("yes", "no"), required=True, help="whether the remote has it: look there first")
    resolve.add_argument("--why", metavar="TEXT", required=True, help="what you have seen")
    resolve.add_argument("--who", metavar="NAME", help="who has seen it (you)")
    for one in (listed, shown):
        one.add_argument("--json", action="store_true", help="for machines")
    return parser


def _user() -> str:
    """Who runs this, as the system knows it: the environment may say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


# ── list ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _list(store: Store, args: argparse.Namespace) -> Iterator[str]:
    found = [Incident(case) for case in (_of_call(store, args.call) if args.call else _find(store, args.which))]
    more = len(found) > MOST
    found = found[:MOST]
    if args.json:
        yield json.dumps([incident.as_dict(revealed=False) for incident in found], indent=2)
        return
    stuck = sum(incident.stuck for incident in found)
    kinds = {Which.UNSETTLED: "unsettled", Which.OPEN: "open", Which.STUCK: "stuck", Which.OWED: "owed"}
    if not found:
        yield f"Nothing is {kinds[args.which]}." if args.which in kinds else "The ledger is empty."
        return
    yield f"{len(found)} incident{'s' * (len(found) > 1)}{f', {stuck} with something stuck' if stuck else ''}."
    for incident in found:
        yield ""
        yield _clean(incident.head)
        for row in incident.rows:
            yield from _brief(store, incident, row)
    if more:
        yield ""
        yield f"There are more: these are the newest {MOST}, behind those with something stuck."


def _find(store: Store, which: Which) -> list[Case]:
    """What has something stuck first, then the newest; one more than are shown, if there are."""
    first = incidents.find(store, Which.STUCK, limit=MOST) if which in {Which.UNSETTLED, Which.ALL} else []
    found = {case.call.id: case for case in (*first, *incidents.find(store, which, limit=MOST + 1))}
    return sorted(found.values(), key=lambda case: not Incident(case).stuck)


def _of_call(store: Store, call: str) -> list[Case]:
    case = incidents.of(store, call)
    if case is None or case.call.id != call:
        raise OperatorError(
            f"the ledger has no call {_clean(call)!r}", where="--call", mend="`agentd effects list --all` shows those it has."
        )
    return [case]


def _brief(store: Store, incident: Incident, row: Row) -> Iterator[str]:
    """A row that is settled in a line; any other with what must be known to act."""
    yield _title(store, incident, row)
    if not row.settled or row.stuck:
        yield from _answers(incident, row)


def _title(store: Store, incident: Incident, row: Row) -> str:
    since, state = _stuck_since(store, row), incident.state(row)
    if since is not None:
        state += f" for {age(store.clock() - since)}"
    elif row.settled and row.kind in SPOKEN:
        state += f" ({row.why})"
    return f"  {state:<26} {_name(row)[:24]:<24} {row.id}"


def _name(row: Row) -> str:
    return f"{_clean(row.tool)} ({row.kind})"


def _stuck_since(store: Store, row: Row) -> float | None:
    if not row.stuck:
        return None
    since = None
    for change in reversed(incidents.history(store, row.id)):
        if not change.stuck:
            break
        since = change.at
    return since


def _answers(incident: Incident, row: Row) -> Iterator[str]:
    answers = {
        "heard": incident.heard(row),
        "happened": incident.happened(row),
        "owed": incident.owed(row),
        "next": incident.next(row),
    }
    for name, text in answers.items():
        if text:
            yield from _field(name, text)


def _field(name: str, text: str) -> list[str]:
    first = f"    {name:<10}"
    return textwrap.wrap(
        _clean(text), WIDTH, initial_indent=first, subsequent_indent=" " * 14, break_long_words=False, break_on_hyphens=False
    )


# ── show ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _show(store: Store, args: argparse.Namespace) -> Iterator[str]:
    case = incidents.reveal(store, args.id, _user()) if args.reveal else incidents.of(store, args.id)
    if case is None:
        raise _unknown(args.id)
    incident = Incident(case)
    if args.json:
        yield json.dumps(_whole(store, incident, revealed=args.reveal), indent=2)
        return
    yield _clean(incident.head)
    if args.reveal:
        yield _clean(f"caller {case.call.caller}, called {case.call.called}; it is recorded that {_user()} saw this")
    for row in incident.rows:
        yield ""
        yield _title(store, incident, row)
        yield from _answers(incident, row)
        if args.reveal:
            yield from _field("arguments", row.args)
            yield from _field("result", row.result or "none")
        yield from _history(store, row)
        for order in incidents.of_operators(store, row.id):
            yield from _field("ordered", _order_in_words(order))


def _history(store: Store, row: Row) -> Iterator[str]:
    for number, change in enumerate(incidents.history(store, row.id)):
        columns = f"{change.fact:<11}{change.verdict:<6}{change.told:<9}{change.why}{'  stuck' * change.stuck}"
        at = f"{clock(change.at)}.{int(change.at * 1000) % 1000:03d}"
        yield f"    {'history' * (number == 0):<10}{at}  {columns}".rstrip()


def _order_in_words(order: Order) -> str:
    what = f"resolve, the remote has it: {'yes' if order.has else 'no'}" if order.verb is Verb.RESOLVE else "retry"
    why = f" (“{order.why}”)" if order.why else ""
    return f"{clock(order.at)} by {order.who}: {what}{why}: {order.outcome or 'not taken up yet'}"


def _whole(store: Store, incident: Incident, *, revealed: bool) -> dict[str, Any]:
    """The incident, and of each effect its history and its orders."""
    whole = incident.as_dict(revealed=revealed)
    for effect in whole["effects"]:
        changes, orders = incidents.history(store, effect["id"]), incidents.of_operators(store, effect["id"])
        effect["history"] = [{name: getattr(change, name) for name in change.__slots__} for change in changes]
        effect["orders"] = [{name: getattr(order, name) for name in order.__slots__ if name != "row"} for order in orders]
    return whole


# ── retry, resolve ───────────────────────────────────────────────────────────────────────────────────────────────────


def _retry(store: Store, args: argparse.Namespace) -> Iterator[str]:
    incident, row = _stuck(store, args.id)
    _refuse_part_of_pivot(incident, row)
    after = incident.after(Retried(row.id))
    if after.row(row.id).stuck:
        mend = f"`agentd effects resolve {row.id} --has yes|no --why TEXT`."
        raise OperatorError(after.row(row.id).error, where=f"{row.tool} {row.id}", mend=mend)
    incidents.order(store, Order(row.id, Verb.RETRY, _user()))
    yield f"Ordered: {_name(row)} is tried again."
    yield from _what_follows(incident, after, row)


def _resolve(store: Store, args: argparse.Namespace) -> Iterator[str]:
    incident, row = _stuck(store, args.id)
    has, who = args.has == "yes", args.who or _user()
    if has:
        _refuse_part_of_pivot(incident, row)
    if not args.why.strip():
        raise OperatorError("it says nothing", where="--why", mend="write what you have seen, for those who come after you.")
    incidents.order(store, Order(row.id, Verb.RESOLVE, who, args.why, has))
    yield f"Ordered: {_name(row)} is resolved: the remote {'has' if has else 'does not have'} it, as {_clean(who)} has seen."
    if row.dropped and has:
        yield f"It was let go ({row.why}), and a verdict is given once: it is not kept by this, it is undone once more."
    yield from _what_follows(incident, incident.after(Resolved(row.id, has, args.why)), row)


def _what_follows(before: Incident, after: Incident, row: Row) -> Iterator[str]:
    """What the rules make of an order, once the agentd that owns the call takes it up."""
    states = {one.id: before.state(one) for one in before.rows}
    for one in after.rows:
        was, becomes = states.get(one.id, "not there"), after.state(one)
        if was != becomes:
            yield f"  {_name(one)[:24]:<24} {was} → {becomes}"
    yield "An agentd that runs on this ledger takes it up within seconds; what came of it:"
    yield f"  agentd effects show {row.id}"


def _stuck(store: Store, name: str) -> tuple[Incident, Row]:
    """The stuck effect of that name. Raises OperatorError where there is nothing to order."""
    case = incidents.of(store, name)
    if case is None:
        raise _unknown(name)
    incident = Incident(case)
    row = next((row for row in case.rows if row.id == name), None)
    if row is None:
        raise OperatorError(
            "this is a call", where=_clean(name), mend=f"name one of its effects: `agentd effects show {name}` lists them."
        )
    if not row.stuck:
        raise OperatorError(
            f"it is not stuck: {incident.state(row)}",
            where=f"{row.tool} {row.id}",
            mend="there is nothing to do: only what is stuck waits for a human.",
        )
    if not case.call.ended:
        raise OperatorError(
            "its call is not over, or no agentd has taken it over yet",
            where=f"{row.tool} {row.id}",
            mend="wait for the call's end, or see that an agentd runs on this ledger; then order it again.",
        )
    return incident, row


def _refuse_part_of_pivot(incident: Incident, row: Row) -> None:
    pivot = incident.pivot(row)
    if pivot is not None:
        raise OperatorError(
            f"it is one incident with {pivot.tool}, whose answer decides both",
            where=f"{row.tool} {row.id}",
            mend=f"retry or resolve {pivot.id}.",
        )


def _unknown(name: str) -> OperatorError:
    return OperatorError(
        f"the ledger has no effect and no call {_clean(name)!r}",
        where="ID",
        mend="`agentd effects list --all` shows those it has.",
    )


def _clean(text: str) -> str:
    """A text that cannot steer the terminal, whatever a remote put into it."""
    return _STEER.sub("", text)


_COMMANDS: Final[dict[str, Callable[[Store, argparse.Namespace], Iterator[str]]]] = {
    "list": _list,
    "show": _show,
    "retry": _retry,
    "resolve": _resolve,
}
