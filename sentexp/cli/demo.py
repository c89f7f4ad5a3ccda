"""`sentexp demo RUN [RUN]`: a local web page on which one types a review."""

from __future__ import annotations

import socket
from typing import Any

import click

from sentexp.cli.run_options import load, run_options
from sentexp.errors import SentexpError

LOCAL = ("127.0.0.1", "localhost")


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--host", default=LOCAL[0], show_default=True, help="Address to answer at; 0.0.0.0 lets others in.")
@click.option("--port", default=7860, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@run_options
def command(runs: tuple[str, ...], host: str, port: int, **found_by: Any) -> None:
    """Show a web page on which one types a review and sees what RUN says of it, word by word.

    Several runs stand side by side. The page is for this machine alone unless --host says otherwise.

    \b
      sentexp demo latest
      sentexp demo best 3f2a --port 8000
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # whoever opens the page as soon as its address is printed waits for the answer
        except OSError as error:
            raise SentexpError(f"--host {host} --port {port}: {error.strerror}; expected another --port") from error
        port = listener.getsockname()[1]
        models = {run: load(run, **found_by) for run in dict.fromkeys(runs)}

        import uvicorn

        from sentexp.use.demo import demo_app

        app = demo_app(models, [*LOCAL] if host in LOCAL else ["*"])
        print(f"demo: http://{host}:{port} (Ctrl-C ends it)", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
