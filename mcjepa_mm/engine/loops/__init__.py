"""Loops over the data of several tasks."""

from .multi_task_loop import MultiTaskTestLoop, MultiTaskValLoop
from .resumable_train_loop import ResumableTrainLoop

__all__ = ['MultiTaskTestLoop', 'MultiTaskValLoop', 'ResumableTrainLoop']
