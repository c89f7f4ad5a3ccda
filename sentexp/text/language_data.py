"""spaCy's data of a language: stop words and the look-up table of lemmas. Neither needs a trained model."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import pkgutil
from collections.abc import Mapping

from sentexp.errors import SentexpError, did_you_mean


def language_class(language: str, key: str = "tokenizer.language") -> type:
    """Return spaCy's class of a language. Raises SentexpError that names `key` if there is none."""
    from spacy.util import get_lang_class

    language = str(language)  # a model's folder may say anything
    try:
        return get_lang_class(language)
    except ImportError as error:
        import spacy.lang

        known = [module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg]
        if language in known:
            raise cannot_load(language, key, error) from error
        near = did_you_mean(language, known)
        raise SentexpError(f"{key}={language}: not a language of spaCy's, such as en, de or fr{near}") from error


def cannot_load(language: str, key: str, error: Exception) -> SentexpError:
    """Return the error that spaCy needs another package for this language, for the caller to raise."""
    return SentexpError(f"{key}={language}: spaCy cannot load it ({' '.join(str(error).split())})")


@functools.cache
def stop_words(language: str, key: str) -> frozenset[str]:
    """Return the stop words in lower case. Raises SentexpError that names `key` if spaCy has none."""
    words = frozenset(language_class(language).Defaults.stop_words)  # type: ignore[attr-defined]
    if not words:
        raise SentexpError(f"{key}=true: spaCy has no stop words for tokenizer.language={language}; expected false")
    return words


@functools.cache
def lemmas(language: str, key: str) -> Mapping[str, str | list[str]]:
    """Return the table from word to lemma. It can be asked for a word but not listed, since its keys are hashes.

    Raises SentexpError that names `key` if there is no table or its package is not installed.
    """
    from spacy.lookups import load_lookups

    if importlib.util.find_spec("spacy_lookups_data") is None:
        raise SentexpError(f"{key}=true: needs the package spacy-lookups-data; install it or the extra sentexp[lemmas]")
    language_class(language)
    try:
        return load_lookups(language, ["lemma_lookup"]).get_table("lemma_lookup")
    except ValueError as error:
        raise SentexpError(
            f"{key}=true: spacy-lookups-data has no look-up table for tokenizer.language={language}; expected false"
        ) from error


def version(lemmas: bool) -> str:
    """Return the versions of the packages whose data are used, for the keys of caches."""
    names = ["spacy", "spacy-lookups-data"] if lemmas else ["spacy"]
    return " ".join(f"{name} {_installed(name)}" for name in names)


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # what needs the package raises its own error
