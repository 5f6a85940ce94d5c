from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.renamed import register_old_name

from .bad_sample_hook import BadSampleHook
from .batch_consistency_hook import BatchConsistencyHook
from .collapse_monitor_hook import CollapseMonitorHook
from .feature_bank_hook import FeatureBankHook
from .graceful_stop_hook import GracefulStopHook
from .gradient_monitor_hook import GradientMonitorHook
from .idle_task_hook import IdleTaskHook
from .loss_guard_hook import LossGuardHook
from .multi_task_hook import MultiTaskHook
from .pretrain_visualization_hook import PretrainVisualizationHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .schedule_hook import ScheduleHook

__all__ = [
    'BadSampleHook',
    'BatchConsistencyHook',
    'CollapseMonitorHook',
    'FeatureBankHook',
    'GracefulStopHook',
    'GradientMonitorHook',
    'IdleTaskHook',
    'LossGuardHook',
    'MultiTaskHook',
    'PretrainVisualizationHook',
    'SafeCheckpointHook',
    'ScheduleHook',
]

register_old_name(HOOKS, 'AgreementHook', BatchConsistencyHook)
