# The encoder alone for mmpretrain: get_model('mcjepa_convnext-tiny'). The data
# set is there for its pipeline, which FeatureExtractor applies to pictures.
_base_ = [
    '../_base_/models/mcjepa-classifier_convnext-tiny.py',
    'mmpretrain::_base_/datasets/imagenet_bs32_pil_resize.py',
    'mmpretrain::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mcjepa_mm'])
