from .data_preprocessor import MultiTaskDataPreprocessor, ViewsDataPreprocessor
from .multi_task_pretrainer import MultiTaskPretrainer

__all__ = [
    'MultiTaskDataPreprocessor',
    'MultiTaskPretrainer',
    'ViewsDataPreprocessor',
]
