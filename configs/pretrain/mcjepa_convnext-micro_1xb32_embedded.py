# The default job under a name that `_base_ = 'mcjepa_mm::pretrain/...'` can
# say: mmengine takes no name without a folder.
_base_ = '../mcjepa_convnext.py'
