"""What the first bytes of a file of word vectors say: its dimension and its layout. Imports nothing heavy.

The layouts are told apart by content. GloVe's text is a word and its numbers a line. word2vec's text and fastText's
.vec have the same lines under a first one of "words dimension". word2vec's binary has that first line too, then for
each word its bytes, a space and its numbers as little-endian float32.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from sentexp.embedding.container import Source, opened
from sentexp.errors import SentexpError

HEAD = 1 << 20  # bytes looked at; the longest line of numbers that can come first
FASTTEXT_MODEL = bytes.fromhex("ba164f2f")


@dataclass(frozen=True)
class Layout:
    """`dim` numbers a word; `words` as promised by a first line, None without one; rows begin at byte `start`."""

    dim: int
    words: int | None
    binary: bool
    start: int

    @property
    def first_row(self) -> int:
        """Line number, from 1, of the first word."""
        return 1 if self.words is None else 2


def of_file(path: str | Path, dim: int | None = None) -> int:
    """The dimension of the vectors in `path`; `dim`, the one wanted, only chooses among the members of an archive.

    Raises SentexpError if there is no such file or it does not begin as a file of word vectors does.
    """
    with opened(Path(path), dim) as source:
        return layout(source).dim


def layout(source: Source) -> Layout:
    """The layout of the stream, from its first bytes; leaves the stream at the first word."""
    head = source.stream.read(HEAD)
    if head.startswith(FASTTEXT_MODEL):
        raise SentexpError(f"{source.called}: a fastText model; expected its vectors as text (.vec)")
    byte_order_mark = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    line, end, rest = head[byte_order_mark:].partition(b"\n")
    fields = line.split()
    if len(fields) == 2 and all(re.fullmatch(rb"\d+", field) for field in fields):
        words, dim = int(fields[0]), int(fields[1])
        if words < 1 or dim < 1:
            raise SentexpError(f"{source.called}: its first line promises {words} words of {dim} numbers")
        found = Layout(dim, words, _is_binary(rest, dim), byte_order_mark + len(line) + len(end))
    else:
        dim = numbers_at_end(fields)
        if dim == 0:
            raise SentexpError(
                f"{source.called}: line 1 is not a word and its numbers; expected those of GloVe, word2vec or fastText"
            )
        found = Layout(dim, None, False, byte_order_mark)
    source.stream.seek(found.start)
    return found


def numbers_at_end(fields: list[bytes]) -> int:
    """How many of the fields of a line are the numbers at its end; the first is the word, even if it looks like one."""
    count = 0
    for field in reversed(fields[1:]):
        if not is_number(field):
            break
        count += 1
    return count


def is_number(field: bytes) -> bool:
    """Whether Python reads it as a float, nan and inf among them."""
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
