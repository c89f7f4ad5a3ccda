"""The head of one of Hydra's YAML files: its `# @package` line, and the list `defaults` of the files it builds on.

Hydra checks little of either. What it cannot read ends in an exception that names no line, or in an AssertionError.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml

HEAD_LENGTH = 512
"""Characters in which Hydra looks for the package."""

PACKAGE = r"[\w-]+(?:\.[\w-]+)*"
GROUP = r"/?[\w.-]+(?:/[\w.-]+)*"
FILE = r"/?(?:[^\s/@:?${}]|(?<=\S) (?=\S)|(?<!^)/(?=[^/])|\$\{[\w./@-]+\})+"
"""Path of an option's file. A part of it may be the option of another group, as in `${data}_${model}`."""

TO_BE_CHOSEN = "???"
"""In the place of an option: the command line must choose one."""


class Entry(NamedTuple):
    words: str
    """What stands before the colon, such as `override /model`; empty for the path of a file alone."""
    option: str
    line: int

    def path(self, group: str) -> str:
        """Return the path of the file that is meant, without .yaml, in a list of a file of `group`."""
        named = [word.partition("@")[0] for word in (self.words.rpartition(" ")[2], self.option)]
        return posixpath.join("/", group, *filter(None, named)).lstrip("/")


def package(text: str) -> str | None:
    """Return what the `# @package` line of a file says; None without one, or where Hydra does not look for it."""
    found = [re.fullmatch(r"#\s*@package +(\S+)", line) for _, line in _head(text)]
    return next((one[1] for one in reversed(found) if one is not None), None)


def entries(defaults: yaml.Node | None) -> Iterator[Entry]:
    """Yield what a list names; what `problems` refuses is left out."""
    if not isinstance(defaults, yaml.SequenceNode):
        return
    for entry in defaults.value:
        for words, options in _parts(entry):
            for option in options.value if isinstance(options, yaml.SequenceNode) else [options]:
                if isinstance(option, yaml.ScalarNode):
                    yield Entry(words, str(option.value), option.start_mark.line + 1)


def problems(text: str, defaults: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Yield what Hydra cannot read of a file, each with its line; `defaults` is None without such a key."""
    for number, line in _head(text):
        found = re.fullmatch(r"#\s*@(\w+) +(\S+)", line)
        if found is None or (found[1] == "package" and re.fullmatch(PACKAGE, found[2]) is None):
            yield number, "no name of a package; expected a line such as `# @package _global_`"
    if defaults is not None and not isinstance(defaults, yaml.SequenceNode):
        yield defaults.start_mark.line + 1, "defaults: no list; expected one such as `defaults: [lstm]`"
    overriding = False
    for entry in defaults.value if isinstance(defaults, yaml.SequenceNode) else ():
        if not _is_readable(entry):
            expected = "expected one such as `- lstm` or `- override /model: gru`"
            yield entry.start_mark.line + 1, f"no entry of defaults; {expected}"
        overrides = any("override" in words.split()[:-1] for words, _ in _parts(entry))
        if overriding and not overrides and getattr(entry, "value", None) != "_self_":
            yield entry.start_mark.line + 1, "behind an `override`; expected those at the end of defaults"
        overriding |= overrides


def _head(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of the header, each with its number."""
    for number, line in enumerate(text[:HEAD_LENGTH].splitlines(), 1):
        if line.strip() and re.match(r"\s*#\s*@", line) is None:  # Hydra takes this for its end
            return
        if line.strip():
            yield number, line.strip()


def _parts(entry: yaml.Node) -> list[tuple[str, yaml.Node]]:
    if isinstance(entry, yaml.MappingNode):
        return [(str(words.value), options) for words, options in entry.value]
    return [("", entry)]


def _is_readable(entry: yaml.Node) -> bool:
    if not isinstance(entry, yaml.MappingNode):
        named = re.fullmatch(rf"(.*?)(@{PACKAGE})?", _text(entry))
        return named is not None and _names_file(named[1]) and (named[1] != "_self_" or not named[2])
    if len(entry.value) != 1:
        return False
    (words, options), *_ = entry.value
    if re.fullmatch(rf"(?:(?:optional|override) )*{GROUP}(?:@{PACKAGE})?", _text(words)) is None:
        return False
    if isinstance(options, yaml.SequenceNode):
        return all(_names_file(_text(option)) and _text(option) != "_self_" for option in options.value)
    absent = options.tag == "tag:yaml.org,2002:null" or _text(options) == TO_BE_CHOSEN
    return absent or (_names_file(_text(options)) and _text(options) != "_self_")


def _names_file(text: str) -> bool:
    has_dots = any(part.strip(".") == "" for part in text.removeprefix("/").split("/"))  # no way out of the folder
    return text.isprintable() and not has_dots and re.fullmatch(FILE, text) is not None


def _text(node: yaml.Node) -> str:
    """Return the text of a node; an empty one if it is anything else, such as a number."""
    is_text = isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str"
    return str(node.value) if is_text and not _is_number(str(node.value)) else ""


def _is_number(text: str) -> bool:
    """Return True for what OmegaConf takes for a number and YAML 1.1 does not, such as 1e3."""
    try:
        float(text)
    except ValueError:
        return False
    return True
