# mmpretrain's classifier on MC-JEPA's encoder, without a head: what comes out
# is the embedding. mmpretrain's ImageNet bases normalise as the pretraining
# did.
model = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(
        type='mcjepa_mm.MCJEPAConvNeXt',
        arch='tiny',
        # The embedding is the spatial mean of the 768-channel map (T), here
        # at stride 64, as pretrained.
        out_indices=(5,),
        layer_scale_init_value=0.0,  # as pretrained
    ),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
)
