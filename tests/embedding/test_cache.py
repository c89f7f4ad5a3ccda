from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sentexp.embedding import cache, vectors
from sentexp.errors import SentexpError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text("the 1 2\nof 3 4\nmovie 5 6\n", encoding="utf-8")
    return path


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The sets of words for which the source was really read."""
    made: list[set[str]] = []
    real = vectors.read

    def counted(path: Path, wanted: set[str], *rest: object) -> vectors.Vectors:
        made.append(set(wanted))
        return real(path, wanted, *rest)

    monkeypatch.setattr(cache.vectors, "read", counted)
    return made


def looked_up(source: Path, words: list[str], cache_dir: Path) -> dict[str, list[float]]:
    held = cache.vectors_of(source, words, 2, cache_dir)
    return {word: held.rows[held.index[word]].tolist() for word in words if word in held.index}


def test_words_asked_before_are_not_read_again(source: Path, tmp_path: Path, readings: list[set[str]]) -> None:
    first = looked_up(source, ["the", "movie", "absent"], tmp_path / "cache")
    second = looked_up(source, ["movie", "absent"], tmp_path / "cache")
    assert first == {"the": [1, 2], "movie": [5, 6]}
    assert second == {"movie": [5, 6]}
    assert readings == [{"the", "movie", "absent"}]


def test_the_entry_grows_with_new_words(source: Path, tmp_path: Path, readings: list[set[str]]) -> None:
    looked_up(source, ["the"], tmp_path / "cache")
    assert looked_up(source, ["of"], tmp_path / "cache") == {"of": [3, 4]}
    assert looked_up(source, ["the", "of"], tmp_path / "cache") == {"the": [1, 2], "of": [3, 4]}
    assert readings == [{"the"}, {"the", "of"}]


def test_a_changed_source_is_read_again(source: Path, tmp_path: Path) -> None:
    looked_up(source, ["the"], tmp_path / "cache")
    changed = source.stat().st_mtime_ns + 1_000_000
    source.write_text("the 7 8\nof 3 4\nmovie 5 6\n", encoding="utf-8")
    os.utime(source, ns=(changed, changed))
    assert looked_up(source, ["the"], tmp_path / "cache") == {"the": [7, 8]}


@pytest.mark.parametrize("word", ["\n", "\x00", "a b", "\udcff", '"', "\u2028"])
def test_a_word_may_hold_any_character(source: Path, tmp_path: Path, readings: list[set[str]], word: str) -> None:
    for _ in range(2):
        assert looked_up(source, [word, "the"], tmp_path / "cache") == {"the": [1, 2]}
    assert len(readings) == 1


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04 cut", b"not an archive"])
def test_a_broken_entry_is_said_and_made_anew(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: bytes
) -> None:
    looked_up(source, ["the"], tmp_path / "cache")
    (entry,) = (tmp_path / "cache").glob("**/*.npz")
    entry.write_bytes(broken)
    assert looked_up(source, ["the"], tmp_path / "cache") == {"the": [1, 2]}
    assert "reading the word vectors anew" in caplog.text


def test_an_entry_with_one_altered_byte_is_made_anew(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    looked_up(source, ["the", "of"], tmp_path / "cache")
    (entry,) = (tmp_path / "cache").glob("**/*.npz")
    whole = entry.read_bytes()
    for place in range(0, len(whole), 7):
        altered = bytearray(whole)
        altered[place] ^= 1
        entry.write_bytes(altered)
        caplog.clear()
        assert looked_up(source, ["the", "of"], tmp_path / "cache") == {"the": [1, 2], "of": [3, 4]}
        assert [record.getMessage().count("anew") for record in caplog.records] == [1]


def test_an_interrupted_write_leaves_nothing_behind(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: object, **arrays: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            looked_up(source, ["the"], tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").glob("**/*") if path.is_file()] == [".lock"]
    assert looked_up(source, ["the"], tmp_path / "cache") == {"the": [1, 2]}


def test_a_cache_that_cannot_be_written_is_said_so(source: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(SentexpError, match=r"cache_dir=.*cache: cannot be written"):
        looked_up(source, ["the"], tmp_path / "cache")


def test_processes_at_once_share_one_entry(source: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sentexp.embedding import cache\n"
        "source, folder, word = sys.argv[1:]\n"
        "held = cache.vectors_of(Path(source), [word], 2, Path(folder))\n"
        "print(held.rows[held.index[word]].tolist())"
    )
    command = [sys.executable, "-c", code, str(source), str(tmp_path / "cache")]
    running = [subprocess.Popen([*command, word], stdout=subprocess.PIPE) for word in ("the", "of", "movie", "the")]
    printed = [process.communicate()[0].strip() for process in running]
    assert printed == [b"[1.0, 2.0]", b"[3.0, 4.0]", b"[5.0, 6.0]", b"[1.0, 2.0]"]
    assert looked_up(source, ["the", "of", "movie"], tmp_path / "cache").keys() == {"the", "of", "movie"}
