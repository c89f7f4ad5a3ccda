"""Text as lines: files with one entry per line, whatever characters the entries hold, and lines on a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
UNESCAPES = {escape: character for character, escape in ESCAPES.items()}


def to_lines(entries: Iterable[str]) -> bytes:
    r"""Encode entries as UTF-8, one per line; within an entry, backslash, LF and CR become \\, \n and \r."""
    return "".join(f"{_escape(entry)}\n" for entry in entries).encode("utf-8", "surrogatepass")


def from_lines(content: bytes) -> list[str]:
    """Decode what `to_lines` wrote. Raises ValueError if it is not UTF-8 or ends within a line."""
    text = content.decode("utf-8", "surrogatepass")
    if not text.endswith("\n"):
        raise ValueError("ends within a line (is the file cut short?)")
    return [_unescape(line) for line in text[:-1].split("\n")]


def printable(text: str) -> str:
    """Return the text with a space in place of each character that would move the cursor or change the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _escape(entry: str) -> str:
    return re.sub(r"[\\\n\r]", lambda match: ESCAPES[match[0]], entry)


def _unescape(line: str) -> str:
    # A CR at the end was put there by an editor or by git on Windows; the entries' own are escaped.
    line = line.removesuffix("\r")
    return re.sub(r"\\[\\nr]", lambda match: UNESCAPES[match[0]], line) if "\\" in line else line
