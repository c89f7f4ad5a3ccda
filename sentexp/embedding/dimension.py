"""Finds the dimension and the format of a file of word vectors from its first bytes. Imports nothing heavy.

The formats are told apart by content. GloVe's text has one line per word: the word and its numbers. word2vec's text and
fastText's .vec have the same lines below a first one of "words dimension". word2vec's binary format has that first line
too, then for each word its bytes, a space and its numbers as little-endian float32.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from sentexp.embedding.container import Source, opened
from sentexp.errors import SentexpError

HEAD = 1 << 20
"""Bytes that are looked at, and so the longest line."""
MOST_NUMBERS = 100_000
"""Numbers per word; published vectors have a few thousand at most."""
FASTTEXT_MODEL = bytes.fromhex("ba164f2f")
"""First bytes of a fastText model (.bin), which is more than a file of vectors."""


@dataclass(frozen=True)
class VectorFormat:
    """How a file of word vectors is written."""

    dim: int
    """Numbers per word."""
    words: int | None
    """The count that the first line promises; None without such a line."""
    binary: bool
    start: int
    """The byte at which the first word begins."""

    @property
    def first_row(self) -> int:
        """The line of the first word, counted from 1."""
        return 1 if self.words is None else 2


def check(path: str | Path, dim: int | None = None) -> int:
    """Return the dimension of the vectors in the file `path`, which must be `dim` unless that is None.

    Raises SentexpError if the file is missing, does not begin like a file of word vectors or has another dimension.
    """
    with opened(Path(path).expanduser(), dim) as source:
        return find_format(source, dim).dim


def find_format(source: Source, dim: int | None = None) -> VectorFormat:
    """Return the format of the stream from its first bytes, and leave the stream at the first word.

    Raises SentexpError as `check` does.
    """
    head = source.stream.read(HEAD)
    if head.startswith(FASTTEXT_MODEL):
        raise SentexpError(f"{source.called}: a fastText model; expected its vectors as text (.vec)")
    byte_order_mark = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    line, end, rest = head[byte_order_mark:].partition(b"\n")
    if not end and len(head) == HEAD:
        raise SentexpError(f"{source.called}: line 1 is longer than {HEAD:,} bytes; expected a word and its numbers")
    fields = line.split()
    if len(fields) == 2 and all(re.fullmatch(rb"\d{1,18}", field) for field in fields):
        words, width = int(fields[0]), int(fields[1])
        if words < 1 or not 1 <= width <= MOST_NUMBERS:
            raise SentexpError(f"{source.called}: its first line promises {words} words of {width} numbers")
        found = VectorFormat(width, words, _is_binary(rest, width), byte_order_mark + len(line) + len(end))
    else:
        width = numbers_at_end(fields)
        if width == 0:
            raise SentexpError(
                f"{source.called}: line 1 is not a word and its numbers; expected those of GloVe, word2vec or fastText"
            )
        found = VectorFormat(width, None, False, byte_order_mark)
    if dim is not None and dim != found.dim:
        raise SentexpError(
            f"embedding.dim={dim}: {source.called} holds vectors of {found.dim}; expected embedding.dim={found.dim}"
        )
    source.stream.seek(found.start)
    return found


def numbers_at_end(fields: list[bytes]) -> int:
    """Count the numbers at the end of a line; its first field is the word, even if that looks like a number."""
    count = 0
    for field in reversed(fields[1:]):
        if not is_number(field):
            break
        count += 1
    return count


def is_number(field: bytes) -> bool:
    """Return True if Python accepts the field as a float; nan and inf count too."""
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_binary(rows: bytes, dim: int) -> bool:
    first = rows.partition(b"\n")[0].split()
    if numbers_at_end(first) >= dim or not rows:
        return False
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(rows)
    except UnicodeDecodeError:
        return True
    # a malformed text row stays text, so that it is reported as one
    return re.search(r"[\x00-\x08\x0e-\x1f]", text) is not None
