from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sentexp import batches
from sentexp.batches import Batches, evaluation_plan, gather, plan, seed_of
from sentexp.text.corpus import Corpus

LENGTHS = st.lists(st.integers(1, 40), max_size=200).map(lambda lengths: torch.tensor(lengths, dtype=torch.long))
BOUNDS = st.sampled_from([(1, None), (7, None), (None, 1), (None, 60), (7, 60), (3, 1000)])
PAD = 1


def corpus_of(reviews: list[list[int]], width: int | None = None) -> Corpus:
    ids = torch.tensor([token for review in reviews for token in review], dtype=torch.int32)
    labels = torch.arange(len(reviews)) % 3
    return Corpus(ids, offsets_of(torch.tensor([len(review) for review in reviews])), labels, PAD, width)


def of_lengths(lengths: torch.Tensor, width: int | None = None) -> Corpus:
    offsets = offsets_of(lengths)
    return Corpus(torch.zeros(int(offsets[-1]), dtype=torch.int32), offsets, torch.zeros_like(lengths), PAD, width)


def of_labels(labels: torch.Tensor) -> Corpus:
    """Return a corpus of one token per review."""
    return Corpus(torch.zeros(len(labels), dtype=torch.int32), torch.arange(len(labels) + 1), labels, PAD)


def offsets_of(lengths: torch.Tensor) -> torch.Tensor:
    return torch.cat([torch.zeros(1, dtype=torch.long), lengths.cumsum(0)])


def as_lists(planned: list[torch.Tensor]) -> list[list[int]]:
    return [rows.tolist() for rows in planned]


@given(lengths=LENGTHS, bounds=BOUNDS, bucket=st.booleans(), width=st.sampled_from([None, 5]))
@settings(max_examples=100, deadline=None)
def test_a_plan_holds_each_row_once_within_its_bounds(lengths, bounds, bucket, width):
    batch_size, max_tokens = bounds
    corpus = of_lengths(lengths, width)
    planned = plan(corpus, batch_size=batch_size, max_tokens=max_tokens, bucket=bucket, seed=3, epoch=2)
    assert sorted(row for rows in as_lists(planned) for row in rows) == list(range(len(lengths)))
    for rows in planned:
        padded = len(rows) * (width or int(lengths[rows].max()))
        assert batch_size is None or len(rows) <= batch_size
        assert max_tokens is None or padded <= max_tokens or len(rows) == 1


@given(lengths=LENGTHS, budget=st.sampled_from([1, 60, 500]))
@settings(max_examples=50, deadline=None)
def test_a_token_budget_is_used_up(lengths, budget):
    """No batch could have taken in the review that begins the next one."""
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(0))
    cut = batches._cut(order, lengths, None, budget)
    for rows, following in pairwise(cut):
        one_more = torch.cat([rows, following[:1]])
        assert len(one_more) * int(lengths[one_more].max()) > budget


@pytest.mark.parametrize("bucket", [True, False])
@pytest.mark.parametrize("bounds", [{"batch_size": 8}, {"batch_size": None, "max_tokens": 200}])
def test_a_plan_is_a_function_of_seed_and_epoch(bucket, bounds):
    corpus = of_lengths(torch.randint(1, 50, (300,), generator=torch.Generator().manual_seed(0)))
    plans = {
        (seed, epoch): as_lists(plan(corpus, bucket=bucket, seed=seed, epoch=epoch, **bounds))
        for seed in (0, 1)
        for epoch in (0, 1, 2)
    }
    again = as_lists(plan(corpus, bucket=bucket, seed=1, epoch=2, **bounds))
    assert again == plans[1, 2]
    assert len({str(planned) for planned in plans.values()}) == len(plans)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=150),
    bucket=st.booleans(),
    epoch=st.integers(1, 5),
)
@settings(max_examples=100, deadline=None)
def test_a_balanced_epoch_is_as_long_and_gives_each_label_the_same_share(labels, bucket, epoch):
    labels = torch.tensor(labels)
    planned = plan(of_labels(labels), batch_size=7, bucket=bucket, balanced=True, seed=1, epoch=epoch)
    rows = torch.cat(planned)
    assert len(rows) == len(labels)
    shares = labels[rows].bincount()[labels.unique()]
    assert int(shares.max() - shares.min()) <= 1
    for label in labels.unique():
        times = rows.bincount(minlength=len(labels))[labels == label]
        assert int(times.max() - times.min()) <= 1


def test_balanced_epochs_leave_out_other_reviews_of_the_common_label():
    corpus = of_labels(torch.tensor([0] * 90 + [1] * 10))
    first, second = (torch.cat(plan(corpus, batch_size=8, balanced=True, seed=0, epoch=epoch)) for epoch in (1, 2))
    assert sorted(first.tolist()) != sorted(second.tolist())


def test_near_places_give_unrelated_seeds():
    assert seed_of(0, 1) != seed_of(1, 0)
    assert seed_of(0, 1) == 2918264622725855778  # on every machine, in every version


def test_bucketing_saves_padding():
    lengths = torch.randint(1, 500, (2000,), generator=torch.Generator().manual_seed(0))

    def padding(bucket: bool) -> float:
        planned = plan(of_lengths(lengths), batch_size=16, bucket=bucket, seed=0, epoch=1)
        return 1 - int(lengths.sum()) / sum(len(rows) * int(lengths[rows].max()) for rows in planned)

    assert padding(True) < 0.1 < 0.4 < padding(False)


def test_bucketed_batches_come_in_random_order():
    lengths = torch.arange(1, 401)
    longest = [int(lengths[rows].max()) for rows in plan(of_lengths(lengths), batch_size=4, seed=0, epoch=1)]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_evaluation_goes_from_long_to_short_and_holds_each_row_once():
    lengths = torch.randint(1, 3000, (500,), generator=torch.Generator().manual_seed(0))
    order = torch.cat(evaluation_plan(of_lengths(lengths), device="cpu"))
    assert sorted(order.tolist()) == list(range(500))
    assert lengths[order].tolist() == sorted(lengths.tolist(), reverse=True)


REVIEWS = st.lists(st.lists(st.integers(2, 99), min_size=1, max_size=12), min_size=1, max_size=12)


@given(reviews=REVIEWS, width=st.sampled_from([None, 1, 5, 20]), of_corpus=st.booleans(), data=st.data())
@settings(max_examples=100, deadline=None)
def test_gather_pads_what_plain_python_pads(reviews, width, of_corpus, data):
    rows = data.draw(st.lists(st.integers(0, len(reviews) - 1), min_size=1, max_size=6))
    if of_corpus:
        batch = gather(corpus_of(reviews, width), torch.tensor(rows))
    else:
        batch = gather(corpus_of(reviews), torch.tensor(rows), width)
    longest = width or max(len(reviews[row]) for row in rows)
    cut = [reviews[row][:longest] for row in rows]
    assert batch.ids.tolist() == [tokens + [PAD] * (longest - len(tokens)) for tokens in cut]
    assert batch.lengths.tolist() == [len(tokens) for tokens in cut]
    assert batch.labels.tolist() == [row % 3 for row in rows]


def test_shares_of_a_batch_make_up_the_batch_at_its_own_width():
    corpus = corpus_of([[7] * length for length in (9, 1, 5, 2, 2, 8, 3)])
    source = Batches(corpus)
    planned = [torch.tensor([0, 1, 2, 3]), torch.tensor([4]), torch.tensor([5, 6])]
    whole = list(source.of(planned))
    shares = [list(source.of(planned, rank=rank, size=3)) for rank in range(3)]
    assert [batch.ids.shape[1] for batch in whole] == [9, 2, 8]
    for number, batch in enumerate(whole):
        parts = [shares[rank][number] for rank in range(3)]
        assert {part.ids.shape[1] for part in parts} == {batch.ids.shape[1]}
        joint = torch.empty_like(batch.ids)
        for rank, part in enumerate(parts):
            joint[rank::3] = part.ids
        assert torch.equal(joint, batch.ids)
    assert [len(shares[2][number].labels) for number in range(3)] == [1, 0, 0]


def test_no_reviews_give_no_batches():
    none = of_lengths(torch.zeros(0, dtype=torch.long))
    assert plan(none, batch_size=4, seed=0, epoch=1) == []
    assert plan(none, batch_size=None, max_tokens=9, seed=0, epoch=1) == []
    assert evaluation_plan(none, device="cpu") == []
