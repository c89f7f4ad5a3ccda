from __future__ import annotations

import subprocess
import sys

import pytest

from sentexp.embedding import catalogue
from sentexp.errors import SentexpError


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("6B", (50, 100, 200, 300)),
        ("42B", (300,)),
        ("840B", (300,)),
        ("twitter.27B", (25, 50, 100, 200)),
        ("crawl-300d-2M", (300,)),
        ("7B", ()),
    ],
)
def test_dimensions_of_a_name(name: str, dims: tuple[int, ...]) -> None:
    assert catalogue.dims(name) == dims


def test_a_wrong_name_is_told_the_valid_ones() -> None:
    with pytest.raises(SentexpError, match=r"embedding\.name=840: not one of 6B, 42B, .*did you mean 840B\?"):
        catalogue.find(catalogue.GLOVE, "840", 300)


def test_a_wrong_dimension_is_told_the_valid_ones() -> None:
    with pytest.raises(SentexpError, match=r"embedding\.dim=60: 6B comes with 50, 100, 200, 300"):
        catalogue.find(catalogue.GLOVE, "6B", 60)


def test_the_check_of_a_configuration_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sentexp.embedding import catalogue, dimension; "
        "print({'numpy', 'torch', 'filelock', 'urllib.request'} & set(sys.modules))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "set()\n"
