from .bad_sample_hook import BadSampleHook
from .feature_bank_hook import FeatureBankHook
from .multi_task_hook import MultiTaskHook
from .pretrain_visualization_hook import PretrainVisualizationHook
from .schedule_hook import ScheduleHook

__all__ = [
    'BadSampleHook',
    'FeatureBankHook',
    'MultiTaskHook',
    'PretrainVisualizationHook',
    'ScheduleHook',
]
