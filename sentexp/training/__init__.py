"""From a model and encoded reviews to trained weights."""

from sentexp.machine.choose import Machine, choose_machine
from sentexp.machine.workload import Workload
from sentexp.training.checkpoints import Checkpoints, read_state
from sentexp.training.loop import FitResult, fit
from sentexp.training.processes import ProcessDied
from sentexp.training.progress import TrainingProgress
from sentexp.training.recipe import Recipe

__all__ = [
    "Checkpoints",
    "FitResult",
    "Machine",
    "ProcessDied",
    "Recipe",
    "TrainingProgress",
    "Workload",
    "choose_machine",
    "fit",
    "read_state",
]
