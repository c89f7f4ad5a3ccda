from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from sentexp.embedding import catalogue
from sentexp.embedding.catalogue import Published


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("6B", (50, 100, 200, 300)),
        ("42B", (300,)),
        ("840B", (300,)),
        ("twitter.27B", (25, 50, 100, 200)),
        ("crawl-300d-2M", (300,)),
    ],
)
def test_dimensions_of_a_name(name: str, dims: tuple[int, ...]) -> None:
    family = catalogue.GLOVE if name in catalogue.GLOVE else catalogue.FASTTEXT
    assert family[name].dims == dims
    for dim in dims:
        assert catalogue.find(family, name, dim) is family[name]


@pytest.mark.parametrize("family", [catalogue.GLOVE, catalogue.FASTTEXT], ids=["glove", "fasttext"])
def test_an_unknown_name_has_no_archive(family: Mapping[str, Published]) -> None:
    with pytest.raises(ValueError, match="name=7B: not one of"):
        catalogue.find(family, "7B", 300)


def test_a_wrong_name_is_told_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"^name=840: not one of 6B, 42B, .*did you mean 840B\?"):
        catalogue.find(catalogue.GLOVE, "840", 300)


def test_a_wrong_dimension_is_told_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"^dim=60: 6B comes with 50, 100, 200, 300"):
        catalogue.find(catalogue.GLOVE, "6B", 60)


def test_glove_is_on_the_hub_and_fasttext_on_the_web() -> None:
    assert all(published.on_hub for published in catalogue.GLOVE.values())
    assert not any(published.on_hub for published in catalogue.FASTTEXT.values())


def test_the_check_of_a_configuration_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sentexp.embedding import catalogue, dimension; "
        "print({'numpy', 'torch', 'filelock', 'urllib.request', 'huggingface_hub', 'pooch'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "set()\n"
