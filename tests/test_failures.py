from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sentexp.config import compose
from sentexp.errors import Pruned, RunFailed, SentexpError
from sentexp.failures import failure_explained
from sentexp.instantiate import build

MODEL = """
from torch import nn
class Model(nn.Module):
    def __init__(self, embedding, num_classes, hidden):
        super().__init__()
        self.head = nn.Linear(embedding.no_such_thing, hidden)
"""


def test_an_own_class_that_cannot_be_built_is_one_line_with_key_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models_that_fail.py").write_text(MODEL)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "own.yaml").write_text("_target_: models_that_fail.Model\nhidden: 3\n")
    monkeypatch.chdir(tmp_path)
    config = compose(f"hydra.searchpath=[file://{tmp_path}]", "model=own")
    with pytest.raises(RunFailed) as failed, failure_explained(config):
        build(config.model, embedding=nn.Embedding(2, 3), num_classes=2)
    assert str(failed.value) == (
        "model._target_=models_that_fail.Model: cannot be built: AttributeError: 'Embedding' object has no attribute "
        "'no_such_thing' (models_that_fail.py, line 6)"
    )


@pytest.mark.parametrize(
    ("allocate", "much"),
    [
        (lambda: torch.empty(2**46), "281475.0 GB in one piece"),
        (lambda: np.ones(2**46), "512. TiB in one piece"),
        (lambda: torch.empty(2**62, 2**10), ""),
        (lambda: torch.empty(10**20), ""),
    ],
)
def test_a_size_that_no_memory_holds_is_one_line_with_the_largest_size_first(allocate, much: str) -> None:
    config = compose("model.hidden_size=100000000")
    with pytest.raises(RunFailed, match=rf"^out of memory.*{much}; .*\(model\.hidden_size=100000000, ") as failed:  # noqa: SIM117
        with failure_explained(config):
            allocate()
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize("error", [SentexpError("ours"), Pruned(1), RuntimeError("a bug")])
def test_any_other_failure_stays_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, failure_explained(compose()):
        raise error
    assert raised.value is error
