from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.errors import SentexpError
from sentexp.text.vocabulary import Vocabulary

COUNTS = {"the": 5, "film": 3, "a": 3, "zest": 1, "<pad>": 9}
WORDS = st.text(alphabet=st.characters(), max_size=6)  # surrogates and line breaks among them


def test_specials_come_first_then_tokens_by_count_then_by_alphabet():
    vocabulary = Vocabulary.build(COUNTS, specials=["<pad>", "<unk>", "<sos>"])
    assert vocabulary.itos == ["<pad>", "<unk>", "<sos>", "the", "a", "film", "zest"]
    assert (vocabulary.pad_index, vocabulary.unk_index, len(vocabulary)) == (0, 1, 7)
    assert vocabulary.stoi["film"] == 5


@pytest.mark.parametrize(
    ("max_size", "min_freq", "words"),
    [(None, 1, ["the", "a", "film", "zest"]), (2, 1, ["the", "a"]), (None, 3, ["the", "a", "film"]), (1, 9, [])],
)
def test_max_size_counts_tokens_without_specials_and_min_freq_is_kept(max_size, min_freq, words):
    assert Vocabulary.build(COUNTS, max_size, min_freq).itos == ["<unk>", "<pad>", *words]


@pytest.mark.parametrize(
    ("specials", "message"),
    [(["<pad>"], "without <unk>"), (["<unk>"], "without <pad>"), (["<unk>", "<pad>", "<unk>"], "'<unk>' twice")],
)
def test_specials_that_cannot_work_are_refused(specials, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.build({"a": 1}, specials=specials)


@given(st.dictionaries(WORDS, st.integers(1, 9), max_size=20))
def test_any_tokens_come_back_from_the_file(tmp_path_factory, counts):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    vocabulary = Vocabulary.build(counts)
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert path.read_bytes().count(b"\n") == len(vocabulary)
    assert [file.name for file in path.parent.iterdir()] == ["vocab.txt"]


def test_the_file_has_one_token_per_line_with_line_breaks_escaped(tmp_path):
    content = b"<unk>\n<pad>\nfilm\n\\\\o/\ntwo\\nlines\nold\\rmac\n"
    Vocabulary(["<unk>", "<pad>", "film", "\\o/", "two\nlines", "old\rmac"]).save(tmp_path / "vocab.txt")
    assert (tmp_path / "vocab.txt").read_bytes() == content
    assert Vocabulary.load(tmp_path / "vocab.txt").itos[2:] == ["film", "\\o/", "two\nlines", "old\rmac"]


def test_a_file_with_the_line_ends_of_windows_is_read(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"<unk>\r\n<pad>\r\nfilm\r\n")
    assert Vocabulary.load(tmp_path / "vocab.txt").itos == ["<unk>", "<pad>", "film"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<unk>\n<pad>\na\nb\na\n", r"vocab.txt: line 5 repeats 'a' of line 3"),
        (b"<unk>\n<pad>\nfil", r"vocab.txt: ends within a line"),
        (b"", r"vocab.txt: ends within a line"),
        (b"<unk>\nfilm\n", r"vocab.txt: no line with <pad>"),
        (b"<unk>\n<pad>\n\xff\n", r"vocab.txt: damaged: .*UTF-8"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(SentexpError, match=message):
        Vocabulary.load(tmp_path / "vocab.txt")


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(SentexpError, match=r"vocab.txt: cannot be read"):
        Vocabulary.load(tmp_path / "vocab.txt")


def test_other_tokens_or_another_order_have_another_digest():
    orders = [["<unk>", "<pad>", "a"], ["<pad>", "<unk>", "a"], ["<unk>", "<pad>", "b"]]
    assert len({Vocabulary(order).digest for order in orders}) == 3
