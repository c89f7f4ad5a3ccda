"""From a model and encoded reviews to trained weights."""

from sentexp.machine.choose import Machine, Work, choose_machine
from sentexp.training.loop import FitResult, fit
from sentexp.training.processes import ProcessDied
from sentexp.training.progress import Progress

__all__ = ["FitResult", "Machine", "ProcessDied", "Progress", "Work", "choose_machine", "fit"]
