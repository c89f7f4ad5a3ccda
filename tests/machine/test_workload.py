from __future__ import annotations

from tiny import TinyModel, corpus

from sentexp.machine.workload import Workload


def test_the_size_of_a_training():
    reviews = corpus(100)
    workload = Workload.of(TinyModel(), reviews.lengths, epochs=3, batch_size=8, max_tokens=None)
    tokens = len(reviews.ids)
    assert workload == Workload(tokens=3 * tokens, steps=3 * 13, batch=8, multiplied=5, shared=85)
