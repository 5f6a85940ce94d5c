"""Loops over the data of several tasks."""

from .multi_task_loop import MultiTaskTestLoop, MultiTaskValLoop
from .multi_task_train_loop import MultiTaskTrainLoop

__all__ = ['MultiTaskTestLoop', 'MultiTaskTrainLoop', 'MultiTaskValLoop']
