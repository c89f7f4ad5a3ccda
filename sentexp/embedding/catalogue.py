"""The word vectors that are known by name: their archives, dimensions and addresses. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentexp.errors import did_you_mean


@dataclass(frozen=True)
class Published:
    """One archive of word vectors. The files in it differ only in their dimension."""

    file: str
    dims: tuple[int, ...]
    source: str
    """OWNER/NAME of a repository on the Hugging Face Hub, or the address of a folder on the web (http://.../)."""

    @property
    def on_hub(self) -> bool:
        return "://" not in self.source


_GLOVE = "stanfordnlp/glove"
_FASTTEXT = "https://dl.fbaipublicfiles.com/fasttext/vectors-english/"

# The publishers state no checksums, so a download is checked by its length and by the checksums inside the archive.
GLOVE: Mapping[str, Published] = {
    "6B": Published("glove.6B.zip", (50, 100, 200, 300), _GLOVE),
    "42B": Published("glove.42B.300d.zip", (300,), _GLOVE),
    "840B": Published("glove.840B.300d.zip", (300,), _GLOVE),
    "twitter.27B": Published("glove.twitter.27B.zip", (25, 50, 100, 200), _GLOVE),
}
FASTTEXT: Mapping[str, Published] = {
    "wiki-news-300d-1M": Published("wiki-news-300d-1M.vec.zip", (300,), _FASTTEXT),
    "crawl-300d-2M": Published("crawl-300d-2M.vec.zip", (300,), _FASTTEXT),
}


def find(family: Mapping[str, Published], name: str, dim: int) -> Published:
    """Return the archive called `name` from GLOVE or FASTTEXT. Raises ValueError for an unknown name or dimension."""
    if name not in family:
        raise ValueError(f"name={name}: not one of {', '.join(family)}{did_you_mean(name, family)}")
    if dim not in family[name].dims:
        raise ValueError(f"dim={dim}: {name} comes with {', '.join(map(str, family[name].dims))}")
    return family[name]
