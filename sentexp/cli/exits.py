"""How the program ends: with an exit status, and where it fails, with one line that says why."""

from __future__ import annotations

import errno
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sentexp.errors import RunFailed, SentexpError
from sentexp.redact import without_passwords

DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG, errno.EIO)
"""What the system answers where no other configuration would help: permissions, full devices."""


@contextmanager
def errors_as_one_line(*, tracebacks: bool = False, log_file: Path | None = None) -> Iterator[None]:
    """End the program with one line and an exit status where the block raises SentexpError, or at Ctrl-C.

    So do the system's refusals. Passwords in addresses are left out of the line. With `tracebacks` the traceback stands
    above the line; that of a RunFailed goes to `log_file`.
    """
    caught: BaseException
    try:
        yield
        return
    except SentexpError as error:
        message, exit_status, caught = str(error), error.exit_status, error
        if isinstance(error, RunFailed) and log_file is not None:
            message += _traceback_kept(error, log_file)
    except OSError as error:
        if error.errno not in DENIED:
            raise
        file = "" if error.filename is None else f": {error.filename}"
        message, exit_status, caught = f"{error.strerror}{file}", 1, error
    except KeyboardInterrupt as error:
        message, exit_status, caught = "interrupted", 128 + signal.SIGINT, error
    sys.stdout.flush()
    if tracebacks:
        traceback.print_exception(caught)
    print(f"sentexp: {without_passwords(message)}", file=sys.stderr)
    raise SystemExit(exit_status)


def _traceback_kept(error: BaseException, log_file: Path) -> str:
    """Append the traceback to the run's log; return the words that say so."""
    try:
        with log_file.open("a", encoding="utf-8") as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return ""
    return f"; traceback: {log_file}"
