"""Loops over the data of several tasks."""

from .multi_task_loop import MultiTaskTestLoop, MultiTaskValLoop

__all__ = ['MultiTaskTestLoop', 'MultiTaskValLoop']
