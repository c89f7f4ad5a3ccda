import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sentexp.machine.cores import share_cores

sys.path.insert(0, str(Path(__file__).parent))  # for `made_up_model`

# a shell starts what runs in the background deaf to Ctrl-C, and processes inherit it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# workers of pytest-xdist share the machine's cores, and so do the programs that they start
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    _, limits = share_cores(int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.update(limits)

# an example may take long where other programs run
settings.register_profile("sentexp", deadline=None)
settings.load_profile("sentexp")


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """Undo what a test that runs Hydra in this process does to the logging of those that follow."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=0.0, help="time for test_fuzz.py, shared among its tests")
    parser.addoption("--fuzz-seed", type=int, default=0, help="number of the first input of each test of test_fuzz.py")
