from __future__ import annotations

import functools
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sentexp.embedding import catalogue, pretrained
from sentexp.embedding.table import Coverage
from sentexp.errors import SentexpError

REAL = Path(__file__).parents[2] / "../shared/data/glove/glove.6B.50d.head.txt"


class Vocabulary(SimpleNamespace):
    itos: list[str]

    def __len__(self) -> int:
        return len(self.itos)


def vocabulary(*words: str) -> Any:
    return Vocabulary(itos=["<unk>", "<pad>", *words], unk_index=0, pad_index=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 10\nMovie 3 30\ngood 5 50\nunwanted 1000 1000\n<pad> 9 9\n", encoding="utf-8")
    return path


def start(path: Path, *words: str, seed: int = 0, dim: int | None = 2) -> Any:
    return pretrained.word2vec(
        path, dim, False, None, vocabulary=vocabulary(*words), cache_dir=path.parent / "cache", seed=seed
    )


def row(embedding: Any, number: int) -> list[float]:
    return embedding.weight[number].tolist()


def test_words_found_get_their_vectors_as_written_then_lower_cased(file: Path) -> None:
    embedding = start(file, "Movie", "GOOD", "the", "movie")
    assert row(embedding, 2) == [3, 30]  # as written
    assert row(embedding, 3) == [5, 50]  # lower-cased
    assert row(embedding, 4) == [1, 10]
    assert row(embedding, 5) not in ([3, 30], [0, 0])  # `movie` is not `Movie`
    assert row(embedding, 1) == [0, 0]  # <pad>, whatever the file says
    assert embedding.coverage == Coverage(found=3, wanted=4)


def test_words_not_found_are_drawn_from_the_distribution_of_those_found(file: Path) -> None:
    embedding = start(file, "the", "good", *(f"absent{number}" for number in range(20_000)))
    drawn = embedding.weight[4:]
    np.testing.assert_allclose(drawn.mean(0).tolist(), [3, 30], rtol=0.02)
    np.testing.assert_allclose(drawn.std(0).tolist(), [2, 20], rtol=0.02)  # not those of the unwanted


def test_the_draw_depends_on_the_seed_and_nothing_else(file: Path) -> None:
    first = start(file, "the", "good", "absent", seed=1)
    torch.manual_seed(5)
    start(file, "the", "unwanted")  # the cache grows
    assert torch.equal(first.weight, start(file, "the", "good", "absent", seed=1).weight)
    assert not torch.equal(first.weight, start(file, "the", "good", "absent", seed=2).weight)


def test_the_dimension_is_taken_from_the_file_or_checked_against_it(file: Path) -> None:
    assert start(file, "the", dim=None).embedding_dim == 2
    with pytest.raises(SentexpError, match=r"embedding\.dim=3: .*vectors of 2; expected embedding\.dim=2"):
        start(file, "the", dim=3)


def test_a_file_with_none_of_the_words_is_refused(file: Path) -> None:
    with pytest.raises(SentexpError, match="holds none of the 2 words of the vocabulary"):
        start(file, "кино", "сеанс")


@pytest.mark.parametrize(
    ("target", "name"), [(pretrained.glove, "6B"), (pretrained.fasttext, "crawl-300d-2M")], ids=["glove", "fasttext"]
)
def test_a_path_is_read_instead_of_the_download(file: Path, target: Any, name: str) -> None:
    embedding = target(
        name, 2, str(file), True, 3, vocabulary=vocabulary("the"), cache_dir=file.parent / "cache", seed=0
    )
    assert row(embedding, 2) == [1, 10]
    assert (embedding.freeze, embedding.thaw_after, embedding.weight.requires_grad) == (True, 3, False)


@pytest.mark.parametrize(
    ("target", "name", "dim", "expected"),
    [
        (pretrained.glove, "6b", 100, r"name=6b: not one of 6B, .*did you mean 6B\?"),
        (pretrained.glove, "6B", 99, r"dim=99: 6B comes with 50, 100, 200, 300"),
        (pretrained.fasttext, "6B", 300, r"name=6B: not one of wiki-news-300d-1M, crawl-300d-2M"),
    ],
)
def test_a_wrong_name_or_dimension_is_refused(tmp_path: Path, target: Any, name: str, dim: int, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        target(name, dim, None, False, None, vocabulary=vocabulary("the"), cache_dir=tmp_path, seed=0)


def test_an_archive_by_name_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site").mkdir()
    with zipfile.ZipFile(tmp_path / "site" / "glove.6B.zip", "w") as archive:
        for dim in (50, 100):
            archive.writestr(f"glove.6B.{dim}d.txt", f"the {' '.join([str(dim)] * dim)}\n")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        published = catalogue.Published("glove.6B.zip", (50, 100), f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(catalogue, "GLOVE", {"6B": published})
        for dim in (50, 100):
            embedding = pretrained.glove(
                "6B", dim, None, False, None, vocabulary=vocabulary("the"), cache_dir=tmp_path / "cache", seed=0
            )
            assert row(embedding, 2) == [dim] * dim
            (tmp_path / "site" / "glove.6B.zip").unlink(missing_ok=True)  # the second comes without the site
        server.shutdown()


def test_real_glove_starts_an_embedding(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    words = vocabulary("the", "movie", "Film", "qwertyuiop")
    embedding = pretrained.glove("6B", 50, REAL, False, None, vocabulary=words, cache_dir=tmp_path, seed=0)
    assert embedding.weight.shape == (6, 50)
    assert str(embedding.coverage) == "3 of 4 words found (75.0 %)"
    similarity = torch.nn.functional.cosine_similarity
    movie, film, the = embedding.weight[3], embedding.weight[4], embedding.weight[2]
    assert similarity(movie, film, dim=0) > 0.9 > similarity(movie, the, dim=0)
