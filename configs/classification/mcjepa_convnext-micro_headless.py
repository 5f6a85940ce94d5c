# The default job's encoder for mmpretrain: get_model('mcjepa_convnext-micro').
_base_ = [
    '../_base_/models/mcjepa-classifier_convnext-micro.py',
    '../_base_/datasets/embedded_imagenet.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mcjepa_mm'])
