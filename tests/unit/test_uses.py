"""What a run read is told part by part, unless the parts are very many."""

from datetime import timedelta
from hashlib import sha256

from castline.base.clock import now
from castline.model.lineage import DatasetUse
from castline.store.provenance.ledger import condense_uses

AT = now()


def read(number: int) -> DatasetUse:
    return DatasetUse("input", "landing_requests", f"{number:03}", number, bytes([number]), AT, AT + timedelta(number))


def test_a_hundred_parts_are_told_one_by_one() -> None:
    uses = [*map(read, range(100)), DatasetUse("output", "listener_events", "downloads", 7)]
    assert list(condense_uses(uses)) == uses


def test_more_are_told_as_one_with_a_hash_over_all_in_whatever_order() -> None:
    output = DatasetUse("output", "listener_events", "downloads", 7)
    uses = [*map(read, range(101)), output]
    content = "\n".join(f"{number:03} {number} {number:02x}" for number in range(101)).encode()
    whole = DatasetUse(
        "input", "landing_requests", "101 parts", 5050, sha256(content).digest(), AT, AT + timedelta(100)
    )
    assert list(condense_uses(uses)) == [whole, output]
    assert list(condense_uses(uses[::-1])) == [output, whole]
