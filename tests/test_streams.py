from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp.streams import Streams
from sentexp.text.corpus import Corpus


def corpus(*reviews: list[int]) -> Corpus:
    lengths = torch.tensor([len(review) for review in reviews], dtype=torch.int64)
    ids = torch.tensor([token for review in reviews for token in review], dtype=torch.int32)
    return Corpus(ids, torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]), torch.zeros(len(reviews)), 1)


def numbered(lengths: list[int], first: int = 0) -> Corpus:
    """Reviews of these lengths whose tokens count upwards."""
    ids = iter(range(first, first + sum(lengths)))
    return corpus(*([next(ids) for _ in range(length)] for length in lengths))


def texts_of(segments: list[torch.Tensor], direction: int) -> list[list[int]]:
    """The tokens of each stream in one direction, without those that two segments share."""
    parts = [segments[0][:, direction, :1], *(ids[:, direction, 1:] for ids in segments)]
    return torch.cat(parts, 1).tolist()


def test_segments_are_the_text_end_to_end():
    streams = Streams([corpus([5, 6, 2], [7, 2], [8, 9, 3, 2])], count=2, length=2, directions=2)
    first, second = streams.read()
    assert first.tolist() == [[[5, 6, 2], [7, 2, 6]], [[2, 8, 9], [3, 9, 8]]]
    assert second.tolist() == [[[2, 7], [6, 5]], [[9, 3], [8, 2]]]
    assert (streams.tokens, streams.segments, streams.predicted) == (4, 2, 12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=3),
    st.integers(1, 5),
    st.integers(1, 7),
    st.integers(0, 3),
)
def test_every_token_is_read_once_in_the_drawn_order_by_each_direction(lengths, count, length, seed):
    corpora = [numbered(one, 1000 * number) for number, one in enumerate(lengths)]
    total = sum(map(sum, lengths))
    if total < 2 * count:
        with pytest.raises(ValueError, match="two tokens"):
            Streams(corpora, count=count, length=length)
        return
    streams = Streams(corpora, count=count, length=length, directions=2)
    order = streams.order(seed, 1)
    reviews = [one.ids[start:end].tolist() for one in corpora for start, end in pairwise(one.offsets.tolist())]
    text = [token for row in order.tolist() for token in reviews[row]]
    segments = list(streams.read(order))
    expected = [text[start : start + streams.tokens] for start in range(0, count * streams.tokens, streams.tokens)]
    assert texts_of(segments, 0) == expected
    assert texts_of(segments, 1) == [stream[::-1] for stream in expected]
    assert len(segments) == streams.segments
    assert all(ids.shape[2] == length + 1 for ids in segments[:-1])
    assert sum(ids[:, :, 1:].numel() for ids in segments) == streams.predicted
    assert total - count < count * streams.tokens <= total


def test_the_order_is_another_in_each_pass_and_the_same_for_the_same_seed():
    streams = Streams([numbered([3] * 50)], count=2, length=5)
    assert torch.equal(streams.order(4, 1), streams.order(4, 1))
    assert not torch.equal(streams.order(4, 1), streams.order(4, 2))
    assert not torch.equal(streams.order(4, 1), streams.order(5, 1))
    assert sorted(streams.order(4, 1).tolist()) == list(range(50))


def test_reading_goes_on_from_any_segment_and_processes_share_the_streams():
    streams = Streams([numbered([4] * 30)], count=5, length=6, directions=2)
    order = streams.order(0, 1)
    whole = list(streams.read(order))
    for first in range(len(whole) + 1):
        rest = list(streams.read(order, first=first))
        assert all(torch.equal(one, other) for one, other in zip(rest, whole[first:], strict=True))
    for rank in range(2):
        shares = list(streams.read(order, rank=rank, size=2))
        assert all(torch.equal(one, other[rank::2]) for one, other in zip(shares, whole, strict=True))


def test_a_mapped_corpus_is_read_from_its_files(tmp_path):
    made = numbered([3, 5, 2, 6])
    for part in ("ids", "offsets", "labels"):
        tensor = getattr(made, part).to(torch.int32 if part == "ids" else torch.int64)
        (tmp_path / f"train.{part}").write_bytes(tensor.numpy().tobytes())
    mapped = Corpus.open(tmp_path / "train", pad_index=1)
    pairs = zip(Streams([mapped], count=2, length=3).read(), Streams([made], count=2, length=3).read(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
