"""The words that a model knows, each with its number."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sentexp.errors import SentexpError

UNK, PAD = "<unk>", "<pad>"

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
UNESCAPES = {escape: character for character, escape in ESCAPES.items()}


class Vocabulary:
    """`itos` [V]: number -> word; `stoi`: word -> number; `unk_index` and `pad_index`: those of <unk> and <pad>.

    Raises SentexpError if one of these two is missing or a word stands there twice.
    """

    def __init__(self, itos: Iterable[str]) -> None:
        self.itos = list(itos)
        self.stoi = {word: number for number, word in enumerate(self.itos)}
        for special in (UNK, PAD):
            if special not in self.stoi:
                raise SentexpError(f"vocab.specials: a vocabulary without {special}; expected {UNK} and {PAD}")
        if len(self.stoi) < len(self.itos):
            twice = next(word for number, word in enumerate(self.itos) if self.stoi[word] != number)
            raise SentexpError(f"vocab.specials: the vocabulary has {twice!r} twice; expected each word once")
        self.unk_index = self.stoi[UNK]
        self.pad_index = self.stoi[PAD]

    def __len__(self) -> int:
        return len(self.itos)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.itos == other.itos

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self):,} words"

    @staticmethod
    def build(
        counts: Mapping[str, int],
        max_size: int | None = None,
        min_freq: int = 1,
        specials: Sequence[str] = (UNK, PAD),
    ) -> Vocabulary:
        """The specials in their order, then the words by falling count, equal counts by the alphabet.

        `max_size` is the number of words without specials, None keeps all; words with a count below `min_freq` are left
        out. A word that is also a special has the special's number alone.
        """
        words = [word for word, count in counts.items() if count >= min_freq and word not in specials]
        words.sort(key=lambda word: (-counts[word], word))
        return Vocabulary([*specials, *words[:max_size]])

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.lines()).hexdigest()

    def save(self, path: Path | str) -> None:
        """Plain text in UTF-8, one word a line in the order of the numbers; in a word, backslash, line feed and
        carriage return are written \\\\, \\n and \\r. The file appears whole or not at all."""
        path = Path(path)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
        try:
            unfinished.write_bytes(self.lines())
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)

    @staticmethod
    def load(path: Path | str) -> Vocabulary:
        """What `save` wrote. Raises SentexpError that names the file, and the line where there is one."""
        try:
            text = Path(path).read_bytes().decode("utf-8", "surrogatepass")
        except OSError as error:
            raise SentexpError(f"{path}: cannot be read ({error.strerror}); expected a vocabulary") from error
        except UnicodeDecodeError as error:
            raise SentexpError(f"{path}: damaged: {error}; expected text in UTF-8") from error
        if not text.endswith("\n"):
            raise SentexpError(f"{path}: ends within a word (is the file cut short?)")
        words = [_unescaped(line) for line in text[:-1].split("\n")]
        lines: dict[str, int] = {}
        for line, word in enumerate(words, start=1):
            if lines.setdefault(word, line) != line:
                raise SentexpError(f"{path}: line {line} repeats {word!r} of line {lines[word]}; expected it once")
        for special in (UNK, PAD):
            if special not in lines:
                raise SentexpError(f"{path}: no line with {special}; expected a vocabulary")
        return Vocabulary(words)

    def lines(self) -> bytes:
        """The content of the file that `save` writes."""
        return "".join(f"{_escaped(word)}\n" for word in self.itos).encode("utf-8", "surrogatepass")


def _escaped(word: str) -> str:
    return re.sub(r"[\\\n\r]", lambda match: ESCAPES[match[0]], word)


def _unescaped(line: str) -> str:
    # A carriage return at the end was put there by an editor or by git on Windows; the words' own are escaped.
    line = line.removesuffix("\r")
    return re.sub(r"\\[\\nr]", lambda match: UNESCAPES[match[0]], line) if "\\" in line else line
