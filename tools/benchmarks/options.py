"""The options of a training step against the step without them.

One ``train_step`` of MC-JEPA, optimiser included, on random views: plain, in
bfloat16, with the decoder's norms recomputed, with the encoder's blocks
recomputed too, and on a GPU with encoder, decoder and expander compiled. On a
CPU torch.compile takes minutes to begin, and the decoder never ended.
"""

from collections.abc import Callable
from pathlib import Path

from benchmarks._case import Case, Work

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
# Of each config, the views that a step has of each task.
STEPS = {
    'mcjepa_convnext.py': dict(
        content=(32, 2, 3, 64, 64), motion=(4, 2, 3, 128, 128)
    ),
    'pretrain/mcjepa_convnext-tiny_8xb48-coslr-100e_in1k-frames.py': dict(
        content=(8, 2, 3, 224, 224), motion=(2, 2, 3, 256, 512)
    ),
}
DECODER_WITH_CP = dict(
    heads=dict(motion=dict(decoder=dict(with_cp=True))),
)
VARIANTS = {
    'ours': dict(),
    'bfloat16': dict(
        optim_wrapper=dict(type='MixedPrecisionOptimWrapper', dtype='bfloat16')
    ),
    'decoder with_cp': dict(model=DECODER_WITH_CP),
    'both with_cp': dict(
        model=dict(backbone=dict(with_cp=True), **DECODER_WITH_CP)
    ),
}
COMPILED = dict(
    model=dict(
        compile=dict(
            modules=(
                'backbone',
                'heads.motion.decoder',
                'heads.content.expander',
            )
        )
    )
)


def make(
    name: str, shapes: dict[str, tuple], options: dict, device: str
) -> Callable[[], Work]:
    """A side: steps of a config's model, with some options."""

    def build() -> Work:
        import torch

        from benchmarks._step import training_step

        step = training_step(CONFIGS / name, shapes, options, device)

        def work() -> list[torch.Tensor]:
            return [step()['loss']]

        return work

    return build


def cases(device: str) -> list[Case]:
    """One step of the default job's model and one of ConvNeXt-T."""
    variants = dict(VARIANTS)
    if device != 'cpu':
        variants['compiled'] = COMPILED
    return [
        Case(
            shape=' + '.join(map(str, shapes.values())),
            sides={
                side: make(name, shapes, options, device)
                for side, options in variants.items()
            },
            tolerance=2e-2,  # bfloat16 has 8 bits
        )
        for name, shapes in STEPS.items()
    ]
