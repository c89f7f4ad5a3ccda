from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch

from sentexp.text.corpus import Corpus

PARTS = {"ids": np.array([5, 6, 7], np.int32), "offsets": np.array([0, 1, 3]), "labels": np.array([1, 0])}


def write(folder, **changes):
    for name, values in {**PARTS, **changes}.items():
        (folder / f"train.{name}").write_bytes(values.tobytes())
    return folder / "train"


def test_files_are_mapped_without_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corpus = Corpus.open(write(tmp_path), pad_index=1, width=4)
    assert (corpus.ids.dtype, corpus.offsets.dtype, corpus.labels.dtype) == (torch.int32, torch.int64, torch.int64)
    assert (corpus.ids.tolist(), corpus.lengths.tolist(), corpus.labels.tolist()) == ([5, 6, 7], [1, 2], [1, 0])
    assert (len(corpus), corpus.pad_index, corpus.width) == (2, 1, 4)


def test_a_mapped_corpus_travels_as_its_path_and_is_mapped_again(tmp_path):
    corpus = Corpus.open(write(tmp_path), pad_index=1, width=4)
    pickled = pickle.dumps(corpus)
    (tmp_path / "train.ids").write_bytes(np.array([8, 8, 8], np.int32).tobytes())
    copy = pickle.loads(pickled)
    assert copy.ids.tolist() == [8, 8, 8]
    assert (copy.path, copy.pad_index, copy.width) == (corpus.path, 1, 4)


def test_a_corpus_in_memory_travels_whole():
    corpus = Corpus(torch.tensor([1, 2], dtype=torch.int32), torch.tensor([0, 2]), torch.tensor([0]), 1, 3)
    copy = pickle.loads(pickle.dumps(corpus))
    assert (copy.ids.tolist(), copy.lengths.tolist(), copy.path) == ([1, 2], [2], None)
    assert (copy.pad_index, copy.width) == (1, 3)


def test_moving_to_a_device_copies_only_if_needed(tmp_path):
    corpus = Corpus.open(write(tmp_path), pad_index=1, width=4)
    assert corpus.to("cpu") is corpus
    moved = corpus.to("meta")
    assert {moved.ids.device.type, moved.offsets.device.type, moved.labels.device.type} == {"meta"}
    assert (moved.pad_index, moved.width, len(moved), moved.path) == (1, 4, 2, None)


def test_writing_into_a_tensor_leaves_the_file_alone(tmp_path):
    path = write(tmp_path)
    Corpus.open(path, pad_index=1).ids[0] = 9
    assert Corpus.open(path, pad_index=1).ids.tolist() == [5, 6, 7]


@pytest.mark.parametrize("change", [{"ids": np.zeros(4, np.int32)}, {"labels": np.zeros(3, np.int64)}])
def test_files_that_do_not_fit_one_another_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match="do not agree"):
        Corpus.open(write(tmp_path, **change), pad_index=1)
