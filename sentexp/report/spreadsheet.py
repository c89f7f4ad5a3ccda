"""Tables as csv files that people open in a spreadsheet, where a review must not become a formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\n")
"""Beginnings of a cell that a spreadsheet computes instead of showing it."""


def write_csv(table: pd.DataFrame, path: Path, float_format: str | None = "%.6g") -> None:
    """Write the table to `path`, with an apostrophe in front of each text that a spreadsheet would compute.

    A text that is a number, such as the label -1, stays as it is.

    write_csv(pd.DataFrame({"text": ["=1+1", "good"]}), path)  # '=1+1 and good
    """
    shown = table.copy()
    for place, kind in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            shown.isetitem(place, [_shown(value) for value in table.iloc[:, place]])
    shown.to_csv(path, index=False, float_format=float_format, header=[_shown(name) for name in table.columns])


def _shown(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")  # a lone CR would end the row: no writer quotes it
    return f"'{value}" if value.startswith(FORMULA) and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip() == text
