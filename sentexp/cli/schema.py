"""`sentexp schema`: the JSON schema of the configuration, for editors."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> None:
    """Print the JSON schema of the configuration.

    An editor that reads it completes keys in YAML files and marks those that do not exist. Editors with the YAML
    language server find it by a first line in the file:

    \b
      sentexp schema > sentexp.schema.json
      # yaml-language-server: $schema=sentexp.schema.json
    """
    from sentexp.json_schema import json_schema

    print(json.dumps(json_schema(), indent=1))
