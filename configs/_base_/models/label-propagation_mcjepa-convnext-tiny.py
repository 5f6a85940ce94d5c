# Video object segmentation by the frozen features of MC-JEPA's ConvNeXt-T, in
# DINO's protocol. Nothing is trained. Loads the pretraining's checkpoints as
# they are.
_base_ = './mcjepa_convnext-tiny.py'

model = dict(
    _delete_=True,
    type='LabelPropagation',
    backbone=dict(
        _base_.model.backbone,
        # ?: stride 8, the finest one of common protocols. The paper does not
        # say which levels it takes.
        out_indices=(2,),
    ),
    data_preprocessor=dict(type='ViewsDataPreprocessor', **_base_.img_norm),
    stride=8,
    propagator=dict(
        context_frames=7,  # besides the first frame
        radius=12,  # cells
        topk=5,
        temperature=0.1,
        max_memory=256,  # MiB of temporary tensors
    ),
    dtype='float32',  # bfloat16: half the memory
)
