from __future__ import annotations

import gzip
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.embedding.vectors import read
from sentexp.errors import SentexpError

REAL = Path(__file__).parents[2] / "../shared/data/glove/glove.6B.50d.head.txt"

Table = dict[str, list[float]]


def glove_text(table: Table) -> bytes:
    return b"".join(f"{word} {' '.join(map(repr, row))}\n".encode() for word, row in table.items())


def word2vec_text(table: Table) -> bytes:
    dim = len(next(iter(table.values())))
    lines = [f"{word} {' '.join(map(repr, row))} \n".encode() for word, row in table.items()]
    return f"{len(table)} {dim}\n".encode() + b"".join(lines)


def word2vec_binary(table: Table, end: bytes = b"\n") -> bytes:
    dim = len(next(iter(table.values())))
    records = [word.encode() + b" " + struct.pack(f"<{dim}f", *row) + end for word, row in table.items()]
    return f"{len(table)} {dim}\n".encode() + b"".join(records)


def word2vec_binary_unended(table: Table) -> bytes:
    return word2vec_binary(table, end=b"")


WRITERS = [glove_text, word2vec_text, word2vec_binary, word2vec_binary_unended]
TABLE: Table = {"the": [0.5, -1.0, 2.25], "Über": [1e-3, 0.0, 3.0], "18": [7.0, 8.0, 9.0], "good": [-0.125, 4.0, 0.1]}


def table(path: Path, wanted: list[str], dim: int | None = None) -> Table:
    vectors = read(path, wanted, dim)
    assert vectors.rows.dtype == np.float32
    assert len(vectors.rows) == len(vectors.index)
    return {word: vectors.rows[row].tolist() for word, row in vectors.index.items()}


def as_float32(rows: Table) -> Table:
    return {word: np.float32(row).tolist() for word, row in rows.items()}


def pack(kind: str, path: Path, content: bytes) -> Path:
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("vectors.txt", content)
    else:
        path.write_bytes(gzip.compress(content) if kind == "gz" else content)
    return path


@pytest.mark.parametrize("kind", ["plain", "gz", "zip"])
@pytest.mark.parametrize("write", WRITERS)
def test_wanted_rows_are_read_from_every_format(tmp_path: Path, write: Callable[[Table], bytes], kind: str) -> None:
    path = pack(kind, tmp_path / "vectors", write(TABLE))
    assert table(path, ["good", "Über", "absent"]) == as_float32({word: TABLE[word] for word in ("Über", "good")})


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\t\n\r\x0b\x0c ", exclude_categories=["Cs"]), min_size=1, max_size=8),
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(WRITERS),
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: Table, write: Callable) -> None:
    path = tmp_path_factory.mktemp("vectors") / "vectors"
    path.write_bytes(b"1 3\nof 1 2 3\n" if not rows else write(rows))
    assert table(path, list(rows), 3) == rows


@given(st.binary(max_size=200))
def test_no_bytes_end_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("vectors") / "vectors"
    path.write_bytes(content)
    message = "embedding.path="
    try:
        read(path, ["a", "the"])
    except SentexpError as error:
        message = str(error)
    assert message.startswith("embedding.path=")
    assert "\n" not in message


@pytest.mark.parametrize("word", [". . .", "at name@domain.com", ". . . . .", "New York", "\N{NO-BREAK SPACE}", "1 at"])
@pytest.mark.parametrize("write", [glove_text, word2vec_text])
def test_words_that_hold_spaces(tmp_path: Path, write: Callable[[Table], bytes], word: str) -> None:
    rows = {"the": [1.0, 2.0], word: [3.0, 4.0], "of": [5.0, 6.0]}
    path = tmp_path / "vectors"
    path.write_bytes(write(rows))
    assert table(path, list(rows)) == rows


@pytest.mark.parametrize(
    "content",
    [b"the\t1 2\nof\t3 4\n", b"the 1 2\r\nof 3 4\r\n", b"the  1 2\nof 3 4", b"\n the 1 2\n"[2:] + b"of 3 4\n\n\n"],
)
def test_other_white_space(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    assert table(path, ["the", "of"]) == {"the": [1, 2], "of": [3, 4]}


@pytest.mark.parametrize("line", [b"  0.5 0.5", b"\t 0.5 0.5", b" 0.5 0.5", b"No. 1 0.5 0.5", b"World War 2 0.5 0.5"])
def test_a_word_of_white_space_or_with_a_number_at_its_end_is_passed_over(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"the 0.1 0.2\n" + line + b"\ngood 0.3 0.4\n")
    assert set(table(path, ["the", "good", "No.", "1", "2"])) == {"the", "good"}


def test_of_a_word_that_comes_twice_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"the 1 2\nthe 3 4\n")
    assert table(path, ["the"]) == {"the": [1, 2]}


def test_a_word_that_is_not_utf8_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"the 1 2\nca\xffe 3 4\nof 5 6\n")
    assert table(path, ["the", "of", "cae", "ca\ufffde", "ca\udcffe"]) == {"the": [1, 2], "of": [5, 6]}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"the 1 2\nof 3\n", r"line 2 has 1 numbers where line 1 has 2 \(is the file cut short\?\)"),
        (b"the 1 2\nof 3 4 5\n", "line 2 has 3 numbers where line 1 has 2"),
        (b"the 1 2\nof 0.3 0.4 0.5\n", "line 2 has 3 numbers where line 1 has 2"),
        (b"the 1 2\nof\n", "line 2 has 0 numbers where line 1 has 2"),
        (b"2 2\nthe 1 2\nof 3\n", "line 3 has 1 numbers where its first line promises 2"),
        (b"3 2\nthe 1 2\nof 3 4\n", r"holds 2 words where its first line promises 3 \(is the file cut short\?\)"),
        (b"1 2\nthe 1 2\nof 3 4\n", "holds 2 words where its first line promises 1"),
        (b"the 1 2\nof 3 x\n", "line 2 holds 'x' where a finite number is expected"),
        (b"the 1 2\nof 3 nan\n", "line 2 holds 'nan'"),
        (b"the 1 2\nof -inf 3\n", "line 2 holds '-inf'"),
        (b"the 1 2\nof 1e300 3\n", "line 2 holds '1e300'"),
        (b"2 2\nthe x 2\nof 3 4\n", "line 2 holds 'x'"),
        (word2vec_binary(TABLE)[:-5], r"holds 3 words where its first line promises 4 \(is the file cut short\?\)"),
        (word2vec_binary(TABLE) + b"more", "holds more than the 4 words"),
        (word2vec_binary({"the": [float("nan"), 1.0]}), "word 1 holds a number that is not finite"),
        (b"9 3\n" + b"\x00" * 20_000, r"word 1 has no end \(is the file damaged\?\)"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(content)
    with pytest.raises(SentexpError, match=r"^embedding\.path=.*vectors\.txt: " + expected) as refused:
        read(path, ["the", "of"])
    assert "\n" not in str(refused.value)


def test_another_dimension_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(b"the 1 2\n")
    with pytest.raises(SentexpError, match=r"embedding\.dim=3: .*vectors of 2; expected embedding\.dim=2"):
        read(path, ["the"], 3)


@pytest.mark.parametrize("write", WRITERS)
def test_progress_grows_to_the_size_of_the_file(tmp_path: Path, write: Callable[[Table], bytes]) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(write({f"word{number}": [0.5, float(number)] for number in range(200_000)}))
    calls: list[tuple[int, int | None]] = []
    read(path, ["word7"], progress=lambda done, total, what: calls.append((done, total)))
    assert calls == sorted(calls)
    assert calls
    assert {total for _, total in calls} == {path.stat().st_size}


def test_real_glove_is_read() -> None:
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there")
    vectors = read(REAL, ["the", "movie", "\N{SNOWMAN}"], 50)
    assert vectors.rows.shape == (2, 50)
    np.testing.assert_allclose(vectors.rows[vectors.index["the"]][:3], [0.418, 0.24968, -0.41242], rtol=1e-6)


@pytest.mark.parametrize(
    "content",
    [
        b"the" + b" 1" * 5_000_000,  # one line
        b"the 1 2\nof" + b" 1" * 5_000_000,
        b"5 99999999999\n" + b"the " + b"\0" * 10_000_000,
        b"5 2000000000\n" + b"the " + b"\0" * 10_000_000,
        b"9" * 5000 + b" 3\nthe 1 2 3\n",
        b"1 2\nthe " + b"\0" * 8 + b"\n" * 10_000_000 + b"x",
    ],
    ids=["first line", "second line", "numbers", "more numbers", "digits", "rest"],
)
def test_a_small_archive_of_much_takes_no_memory(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("vectors.txt", content)
    tracemalloc.start()
    with pytest.raises(SentexpError, match=r"embedding\.path=.*vectors\.txt"):
        read(path, ["the"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 60_000_000


def test_long_lines_are_read(tmp_path: Path) -> None:
    rows = {word: [0.5] * 90_000 for word in "abcdefghijkl"}  # 360 kB each
    path = tmp_path / "long.txt"
    path.write_bytes(b"".join(f"{word} {' '.join(map(repr, row))}\n".encode() for word, row in rows.items()))
    assert read(path, list(rows)).rows.shape == (12, 90_000)
