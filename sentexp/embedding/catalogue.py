"""The word vectors that are known by name: their archives, dimensions and addresses. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentexp.errors import SentexpError, did_you_mean


@dataclass(frozen=True)
class Published:
    """One archive, found as `<base><file>` at each of `bases`, tried in turn. Its members differ in dimension alone."""

    file: str
    dims: tuple[int, ...]
    bases: tuple[str, ...]


_STANFORD = ("https://nlp.stanford.edu/data/", "https://huggingface.co/stanfordnlp/glove/resolve/main/")
_FACEBOOK = ("https://dl.fbaipublicfiles.com/fasttext/vectors-english/",)

# Their publishers state no checksums and the mirror may pack its own archives, so a download is checked by its length
# and by the sums inside the archive.
GLOVE: Mapping[str, Published] = {
    "6B": Published("glove.6B.zip", (50, 100, 200, 300), _STANFORD),
    "42B": Published("glove.42B.300d.zip", (300,), _STANFORD),
    "840B": Published("glove.840B.300d.zip", (300,), _STANFORD),
    "twitter.27B": Published("glove.twitter.27B.zip", (25, 50, 100, 200), _STANFORD),
}
FASTTEXT: Mapping[str, Published] = {
    "wiki-news-300d-1M": Published("wiki-news-300d-1M.vec.zip", (300,), _FACEBOOK),
    "crawl-300d-2M": Published("crawl-300d-2M.vec.zip", (300,), _FACEBOOK),
}


def dims(name: str) -> tuple[int, ...]:
    """The dimensions that the vectors called `name` come with; none if the name is not known."""
    published = GLOVE.get(name) or FASTTEXT.get(name)
    return published.dims if published else ()


def find(family: Mapping[str, Published], name: str, dim: int) -> Published:
    """The archive called `name`, of GLOVE or FASTTEXT. Raises SentexpError for a wrong name or dimension."""
    if name not in family:
        raise SentexpError(f"embedding.name={name}: not one of {', '.join(family)}{did_you_mean(name, family)}")
    if dim not in family[name].dims:
        valid = ", ".join(str(each) for each in family[name].dims)
        raise SentexpError(f"embedding.dim={dim}: {name} comes with {valid}")
    return family[name]
