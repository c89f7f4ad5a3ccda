"""The tokens that a model knows, each with its id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sentexp.atomic import whole_file
from sentexp.errors import SentexpError
from sentexp.lines import from_lines, to_lines

UNK, PAD = "<unk>", "<pad>"


class Vocabulary:
    """Tokens and their ids.

    `itos` [V]: id -> token; `stoi`: token -> id; `unk_index` and `pad_index`: the ids of <unk> and <pad>.

        Vocabulary(["<unk>", "<pad>", "good", "bad"]).stoi["good"]  # 2

    Raises ValueError if <unk> or <pad> is missing or a token occurs twice.
    """

    def __init__(self, itos: Iterable[str]) -> None:
        self.itos = list(itos)
        self.stoi = {token: id for id, token in enumerate(self.itos)}
        for special in (UNK, PAD):
            if special not in self.stoi:
                raise ValueError(f"a vocabulary without {special}; expected {UNK} and {PAD}")
        if len(self.stoi) < len(self.itos):
            twice = next(token for id, token in enumerate(self.itos) if self.stoi[token] != id)
            raise ValueError(f"a vocabulary with {twice!r} twice; expected each token once")
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
        """Build a vocabulary of the specials in their order, then the tokens by falling count, then by the alphabet.

        `max_size` is the largest number of tokens without specials, None keeps all; tokens with a count below
        `min_freq` are left out. A token that is also a special has the special's id only.
        """
        tokens = [token for token, count in counts.items() if count >= min_freq and token not in specials]
        tokens.sort(key=lambda token: (-counts[token], token))
        return Vocabulary([*specials, *tokens[:max_size]])

    @property
    def digest(self) -> str:
        """SHA-256 of the saved file."""
        return hashlib.sha256(to_lines(self.itos)).hexdigest()

    def save(self, path: Path | str) -> None:
        """Write one token per line in the order of the ids, escaped as `lines.to_lines` does.

        The file appears whole or not at all.
        """
        with whole_file(Path(path)) as unfinished:
            unfinished.write_bytes(to_lines(self.itos))

    @staticmethod
    def load(path: Path | str) -> Vocabulary:
        """Read what `save` wrote. Raises SentexpError that names the file, and the line where there is one."""
        try:
            tokens = from_lines(Path(path).read_bytes())
        except OSError as error:
            raise SentexpError(f"{path}: cannot be read ({error.strerror}); expected a vocabulary") from error
        except UnicodeDecodeError as error:
            raise SentexpError(f"{path}: damaged: {error}; expected text in UTF-8") from error
        except ValueError as error:
            raise SentexpError(f"{path}: {error}") from error
        line_of: dict[str, int] = {}
        for line, token in enumerate(tokens, start=1):
            if line_of.setdefault(token, line) != line:
                raise SentexpError(f"{path}: line {line} repeats {token!r} of line {line_of[token]}; expected it once")
        for special in (UNK, PAD):
            if special not in line_of:
                raise SentexpError(f"{path}: no line with {special}; expected a vocabulary")
        return Vocabulary(tokens)
