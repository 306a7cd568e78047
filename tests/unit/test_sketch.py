"""Sketches: counted within the stated error, united without loss, the same whatever came first or twice."""

import numpy as np
import pytest

from castline.measure.rows.sketch import ERROR_RATE, REGISTERS, Words, compute_sketches, estimate_count, merge_sketches

SEEDS = 100


def draw(seed: int, count: int) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def sketch(words: Words) -> bytes:
    return compute_sketches(np.zeros(len(words), np.int64), words)[0]


def error_of(seed: int, count: int) -> float:
    return estimate_count(merge_sketches([sketch(draw(seed, count))])) / count - 1


@pytest.mark.parametrize("count", [1, 10, 1_000, 4_500, 20_000, 60_000])
def test_19_of_20_estimates_lie_within_the_stated_error(count: int) -> None:
    errors = np.array([error_of(seed, count) for seed in range(SEEDS)])
    assert (np.abs(errors) <= ERROR_RATE).mean() >= 0.93  # 0.95 less one standard error of 100 draws
    assert abs(errors.mean()) < ERROR_RATE / 5  # without leaning to either side


def test_a_million_is_estimated_as_well() -> None:
    assert [abs(error_of(seed, 1_000_000)) < 1.5 * ERROR_RATE for seed in range(5)] == [True] * 5


def test_a_merge_is_the_sketch_of_the_union() -> None:
    words = draw(1, 30_000)
    # Overlapping pieces, sparse ones and dense ones, in two orders.
    pieces = [sketch(words[start:end]) for start, end in ((0, 20_000), (10_000, 30_000), (5, 105), (0, 1))]
    assert {len(piece) == REGISTERS for piece in pieces} == {True, False}
    whole = merge_sketches([sketch(words)])
    assert np.array_equal(merge_sketches(pieces), whole)
    assert np.array_equal(merge_sketches(reversed(pieces)), whole)


def test_order_and_repetition_change_nothing() -> None:
    words = draw(2, 5_000)
    shuffled = np.random.default_rng(3).permutation(np.concatenate((words, words[:700])))
    assert sketch(shuffled) == sketch(words)


def test_groups_are_sketched_as_each_alone() -> None:
    words, groups = draw(4, 9_000), np.random.default_rng(5).choice(np.array([3, 70_000, 41]), 9_000)
    found = compute_sketches(groups, words)
    assert found == {int(group): sketch(words[groups == group]) for group in np.unique(groups)}


def test_both_forms_of_a_sketch_hold_the_same_registers() -> None:
    # By hand: index 1 with the first of 50 bits set has rank 1; index 2 with none has rank 51.
    words = np.array([(1 << 50) | (1 << 49), 2 << 50], np.uint64)
    expected = np.zeros(REGISTERS, np.uint8)
    expected[[1, 2]] = 1, 51
    packed = sketch(words)
    assert (packed, len(packed)) == (np.array([1 << 6 | 1, 2 << 6 | 51], "<u4").tobytes(), 8)
    assert np.array_equal(merge_sketches([packed]), expected)
    assert np.array_equal(merge_sketches([expected.tobytes()]), expected)


def test_nobody_is_none() -> None:
    assert compute_sketches(np.zeros(0, np.int64), draw(1, 0)) == {}
    assert estimate_count(merge_sketches([])) == 0


def test_what_two_sets_share_lies_within_the_error_of_their_union() -> None:
    for seed in range(SEEDS):
        words = draw(seed, 9_000)
        one, other = (merge_sketches([sketch(part)]) for part in (words[:6_000], words[4_000:]))
        union = estimate_count(np.maximum(one, other))
        assert abs(estimate_count(one) + estimate_count(other) - union - 2_000) <= ERROR_RATE * union
