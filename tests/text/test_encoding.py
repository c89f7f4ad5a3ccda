from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sentexp.text.encoding import DROPPED, ReviewLayout

UNK, INIT, EOS = 0, 1, 2
TABLE = np.array([UNK, DROPPED, 10, 11, 12], np.int32)  # what the raw ids 0 to 4 become


def one_by_one(reviews: list[list[int]], layout: ReviewLayout) -> list[list[int]]:
    """Do what ReviewLayout.encode does, review by review."""
    encoded = []
    for review in reviews:
        ids = [int(TABLE[id]) for id in review if TABLE[id] != DROPPED]
        if layout.room is not None and len(ids) > layout.room:
            tail = layout.room - layout.head
            ids = ids[: layout.head] + (ids[-tail:] if tail else [])
        ids = ids or [layout.unk]
        around = [[token] if token is not None else [] for token in (layout.init, layout.eos)]
        encoded.append(around[0] + ids + around[1])
    return encoded


LAYOUTS = st.builds(
    lambda init, eos, room, share: ReviewLayout(UNK, init, eos, room, round(share * (room or 0))),
    st.sampled_from([None, INIT]),
    st.sampled_from([None, EOS]),
    st.none() | st.integers(1, 6),
    st.floats(0, 1),
)


@given(st.lists(st.lists(st.integers(0, 4), max_size=12), max_size=8), LAYOUTS)
def test_all_reviews_at_once_are_encoded_as_one_by_one(reviews, layout):
    raw_ids = np.array([id for review in reviews for id in review], np.int32)
    lengths = np.array([len(review) for review in reviews], np.int64)
    encoded = layout.encode(raw_ids, lengths, TABLE)
    expected = one_by_one(reviews, layout)
    assert encoded.ids.dtype == np.int32
    assert encoded.lengths.tolist() == [len(review) for review in expected]
    assert encoded.ids.tolist() == [id for review in expected for id in review]
    kept = [[id for id in review if TABLE[id] != DROPPED] for review in reviews]
    assert encoded.empty == sum(not review for review in kept)
    assert encoded.truncated == sum(len(review) > (layout.room or 99) for review in kept)
    assert encoded.tokens == sum(min(len(review), layout.room or 99) for review in kept)


def test_head_and_tail_meet_around_what_is_cut_out():
    raw_ids = np.array([2, 3, 4, 0, 2, 3], np.int32)
    encoded = ReviewLayout(UNK, room=3, head=1).encode(raw_ids, np.array([6]), TABLE)
    assert encoded.ids.tolist() == [10, 10, 11]
    assert encoded.unknown == 0
