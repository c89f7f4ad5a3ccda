from __future__ import annotations

import contextlib
import os
import signal

import pytest

from sentexp.machine.signals import interrupts_later


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_what_has_begun_is_done_before_the_interrupt_takes_effect():
    done = []

    def write():
        with interrupts_later():
            interrupt()
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["written"]


def test_a_second_interrupt_does_not_wait():
    done = []

    def write():
        with interrupts_later():
            interrupt()
            interrupt()
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == []


def test_an_interrupt_is_not_lost_where_the_block_fails_and_its_caller_goes_on():
    done = []

    def write():
        with contextlib.suppress(OSError), interrupts_later():
            interrupt()
            raise OSError("no answer from the server")
        done.append("went on")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == []


def test_without_an_interrupt_the_handlers_are_as_before():
    before = signal.getsignal(signal.SIGINT)
    with interrupts_later():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_part_of_the_block_may_be_interrupted_at_once():
    done = []

    def write():
        with interrupts_later() as delayed, delayed.not_delayed():
            interrupt()
            done.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == []

    def waiting():
        with interrupts_later() as delayed:
            interrupt()
            done.append("written")
            with delayed.not_delayed():
                done.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        waiting()
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
