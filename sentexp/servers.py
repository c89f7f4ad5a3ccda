"""Servers that a folder of anyone's names, and that would be sent a password of the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from sentexp.redact import without_passwords

STORAGE_PASSWORD = "SENTEXP_STORAGE_PASSWORD"
"""Environment variable with the password of a sweep's database. It is recorded nowhere: every process that opens the
study needs it."""

VARIABLES = {
    "sweep.storage": (STORAGE_PASSWORD,),
    "tracking.uri": ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
}
"""Environment variables whose values are sent to the server that a key names."""

OWN_ADDRESS = {"tracking.uri": "MLFLOW_TRACKING_URI"}
"""Environment variable by which the user names such a server."""


class SentPassword(NamedTuple):
    key: str
    address: str
    """Without a password of its own."""
    variable: str

    def refusal(self, expected: str) -> str:
        """Return the line that refuses the address."""
        return f"{self.key}={self.address}: would be sent your {self.variable}; expected {expected}"


def sent_passwords(key: str, address: str | None) -> Iterator[SentPassword]:
    """Yield each password of the environment that the server at `address`, the value of `key`, is sent.

    There are none for a file, and for the server that the user names in the environment.
    """
    is_server = address is not None and "://" in address and not address.startswith(("sqlite:", "file:"))
    if not is_server or address == os.environ.get(OWN_ADDRESS.get(key, "")):
        return
    for variable in VARIABLES[key]:
        if variable in os.environ:
            yield SentPassword(key, without_passwords(str(address)), variable)
