# mmflow's supervised RAFT on FlyingChairs with MC-JEPA's encoder in place of
# its own two, the feature and the context encoder; see docs/flow_slot_in.md.
# Not run here: it needs the data and the GPUs.
_base_ = 'mmflow::raft/raft_8xb2_100k_flyingchairs-368x496.py'
custom_imports = dict(imports=['mcjepa_mm'])

# RAFT works at stride 8. That is level 2 of the pyramid with the strides of
# the pretraining; for a deeper feature at the same stride take a later level
# and strides such as (2, 2, 2, 1, 1, 1).
encoder = dict(
    _delete_=True,
    type='mcjepa_mm.MapEncoder',
    out_channels=256,
    backbone=dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch='tiny',
        out_indices=(2,),
        layer_scale_init_value=0.0,  # as pretrained
        # init_cfg=dict(
        #     type='Pretrained', checkpoint=..., prefix='backbone.'
        # ),
    ),
)
model = dict(
    # What the encoder was pretrained on: RGB, ImageNet's statistics.
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
    ),
    encoder=encoder,
    cxt_encoder=encoder,
)
# The levels behind the one in use have no gradient.
find_unused_parameters = True
