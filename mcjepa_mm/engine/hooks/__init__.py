from .bad_sample_hook import BadSampleHook
from .multi_task_hook import MultiTaskHook
from .pretrain_visualization_hook import PretrainVisualizationHook
from .schedule_hook import ScheduleHook

__all__ = [
    'BadSampleHook',
    'MultiTaskHook',
    'PretrainVisualizationHook',
    'ScheduleHook',
]
