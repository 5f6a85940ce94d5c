# mmflow's supervised PWC-Net on FlyingChairs with MC-JEPA's encoder in place
# of its own; see docs/flow_slot_in.md. Not run here: it needs the data and
# the GPUs.
_base_ = 'mmflow::pwcnet/pwcnet_8xb1_slong_flyingchairs-384x448.py'
custom_imports = dict(imports=['mcjepa_mm'])

model = dict(
    # What the encoder was pretrained on: RGB, ImageNet's statistics. mmflow's
    # noise and clamp come after the normalisation: the same 0.04 of the
    # range of the image, and the range of the three channels together.
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        sigma_range=(0, 0.18),
        clamp_range=(-2.12, 2.64),
    ),
    encoder=dict(
        _delete_=True,
        type='mcjepa_mm.PyramidEncoder',
        backbone=dict(
            type='mcjepa_mm.MCJEPAConvNeXt',
            arch='tiny',
            layer_scale_init_value=0.0,  # as pretrained
            # init_cfg=dict(
            #     type='Pretrained', checkpoint=..., prefix='backbone.'
            # ),
        ),
    ),
    # 81 displacements; below level6 the level's own channels and 4 of the
    # coarser flow and feature as well.
    decoder=dict(
        # The mean over channels, as in PWC-Net's paper, and not the sum:
        # these features are several times larger and of up to 768 channels,
        # and the sum starts from a flow of a thousand pixels and more.
        scaled=True,
        in_channels=dict(
            level6=81, level5=469, level4=277, level3=181, level2=133
        ),
        post_processor=dict(in_channels=581),  # level2 and 448 grown on it
    ),
)
