"""A row survives the tables, whatever is in it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TypeVar, get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from agentd.ledger.row import Row, Traits
from agentd.ledger.storage.codec import CallFacts, call_facts, call_record, row_of, row_record
from agentd.ledger.storage.vault import HIDDEN, Vault
from tests.unit.ledger.keeping import KEY, call, kept, row

T = TypeVar("T")

VAULT = Vault((KEY,))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters())


def any_of(kind: type[T]) -> st.SearchStrategy[T]:
    """Values with every field set."""
    ours = {float: NUMBERS, str: TEXTS} | ({Traits: any_of(Traits)} if kind is Row else {})
    hints = get_type_hints(kind).items()
    return st.builds(kind, **{name: ours[hint] if hint in ours else st.from_type(hint) for name, hint in hints})


@given(any_of(Row))
def test_every_row_comes_back_as_it_was(one: Row) -> None:
    assert row_of(row_record(one, VAULT, 1.0), VAULT) == one


@given(st.builds(CallFacts, ended=st.just(0.0), started=NUMBERS))
def test_every_call_comes_back_as_it_was(one: CallFacts) -> None:
    assert call_facts(call_record(one, VAULT) | {"ended": None}, VAULT) == one


def test_what_is_not_revealed_is_hidden_but_for_the_error() -> None:
    one = row_of(row_record(row(result="{}", error="busy"), VAULT, 1.0), VAULT, revealed=False)
    assert (one.args, one.identity, one.result, one.resource, one.error) == (HIDDEN, HIDDEN, HIDDEN, HIDDEN, "busy")
    facts = call_facts(call_record(call(), VAULT) | {"ended": None}, None)
    assert (facts.caller, facts.called, facts.flow) == (HIDDEN, HIDDEN, "receptionist")


def test_a_row_of_an_older_program_gets_the_defaults_of_what_it_lacks_and_a_newer_ones_surplus_is_left() -> None:
    record = row_record(row(cuts=2), VAULT, 1.0)
    more = json.loads(record["more"])
    del more["cuts"], more["traits"]["timeout"]
    record["more"] = json.dumps(more | {"colour": "red", "traits": more["traits"] | {"taste": "sour"}})
    assert row_of(record, VAULT) == row()


def test_it_is_settled_since_it_is_written_so() -> None:
    assert row_record(row(), VAULT, 7.0)["settled"] is None
    assert row_record(kept(row()), VAULT, 7.0)["settled"] == 7.0


def test_the_same_arguments_have_the_same_digest_and_others_another() -> None:
    one, same, other = (row_record(each, VAULT, 1.0)["digest"] for each in (row(), row("r2"), replace(row(), args="{}")))
    assert one == same != other
