"""`sentexp explain RUN`: what each token of a text contributes to a model's answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sentexp import terminal
from sentexp.cli.run_options import load, run_options
from sentexp.errors import SentexpError


@click.command()
@click.argument("run")
@click.argument("texts", nargs=-1, required=True)
@click.option(
    "--label", metavar="LABEL", help="Explain this label's logit; by default the second's of two, or the likeliest's."
)
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE.html", help="Write a page with all of it.")
@run_options
def command(run: str, texts: tuple[str, ...], label: str | None, output: Path | None, **found_by: Any) -> None:
    """Show what each token of a text contributes to a model's answer.

    RUN is the id of an MLflow run or its beginning, a run's name, runs:/..., models:/NAME@ALIAS, a folder, `latest`,
    or `best`.

    \b
      sentexp explain latest "not bad at all"
      sentexp explain latest "not bad at all" "a waste of time" --output explained.html

    On a terminal with colours the tokens are coloured. Else a table follows each answer: token, contribution to the
    logit, the logit's change without the token, the label's probability after it, and the word that the model reads.
    Needs the extra `explain`.
    """  # fmt: skip
    if output is not None and not output.absolute().parent.is_dir():
        raise SentexpError(f"--output {output}: no such folder; expected one that is there")
    trained = load(run, **found_by)
    with terminal.status("explaining"):
        from sentexp.use.explaining import explain
        from sentexp.use.explanation import heading
        from sentexp.use.explanation_page import explanation_page
        from sentexp.use.explanation_text import coloured, table_lines

        explanations = [explain(trained, text, label) for text in texts]
    console = terminal.console()
    for number, explanation in enumerate(explanations, start=1):
        if number > 1:
            print()
        print(heading(explanation))
        for note in explanation.notes():
            print(f"note: {note}")
        if console.is_terminal and console.color_system is not None:
            console.print(coloured(explanation, shades=console.color_system != "standard"))
        else:
            print(*table_lines(explanation), sep="\n")
    if output is not None:
        from sentexp.atomic import whole_file

        with whole_file(output) as unfinished:
            unfinished.write_text(explanation_page(explanations, run), encoding="utf-8")
        print(f"page: {output}")
