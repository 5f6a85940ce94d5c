"""The encoder, ConvNeXt-T forward and backward, against others' ConvNeXt.

All have the same weights and the same stem, ``SplitStem`` with a total stride
of 4, so that the stages work at ConvNeXt's own resolutions; what is timed
beside it is mmpretrain's and timm's own. They run as they are, and with model
and images in channels-last memory. The recipe of the pretraining has no layer
scale, mmpretrain's and timm's defaults have one: both are timed. All four maps
and the gradients of all weights are compared.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks._case import Case, Work, optional

SIZE = 224
DEPTHS, WIDTHS = (3, 3, 9, 3), (96, 192, 384, 768)
STRIDES = (2, 2, 1, 2, 2, 2)


def encoder(layer_scale: bool) -> nn.Module:
    """Ours, with seeded weights."""
    from mcjepa_mm.models.backbones import MCJEPAConvNeXt

    torch.manual_seed(0)
    model = MCJEPAConvNeXt(
        'tiny',
        out_indices=(2, 3, 4, 5),
        strides=STRIDES,
        layer_scale_init_value=1.0 if layer_scale else 0.0,
    )
    for name, parameter in model.named_parameters():
        if name.endswith('.gamma'):
            nn.init.uniform_(parameter, 0.1, 1.0)
    return model


def mmpretrains(layer_scale: bool) -> nn.Module:
    """The ConvNeXt of mmpretrain without the norms that it has on its maps."""
    from mmpretrain.models import ConvNeXt

    from mcjepa_mm.models.backbones import SplitStem

    model = ConvNeXt(
        'tiny',
        out_indices=[0, 1, 2, 3],
        gap_before_final_norm=False,
        layer_scale_init_value=1.0 if layer_scale else 0.0,
    )
    model.downsample_layers[0] = SplitStem(WIDTHS[0], strides=STRIDES[:3])
    for i in range(4):
        setattr(model, f'norm{i}', nn.Identity())
    return model


def timms(layer_scale: bool) -> nn.Module:
    """The ConvNeXt of timm without its head."""
    from timm.models import ConvNeXt

    from mcjepa_mm.models.backbones import SplitStem

    model = ConvNeXt(
        num_classes=0,
        depths=DEPTHS,
        dims=WIDTHS,
        ls_init_value=1.0 if layer_scale else None,
    )
    model.stem = SplitStem(WIDTHS[0], strides=STRIDES[:3])
    model.reset_classifier(0, reset_other=True)
    return model


LIBRARIES = dict(
    mmpretrain=(mmpretrains, lambda model, images: model(images)),
    timm=(
        timms,
        lambda model, images: model.forward_intermediates(
            images, intermediates_only=True
        ),
    ),
)


def make(
    library: str,
    device: str,
    images: int,
    *,
    layer_scale: bool,
    channels_last: bool,
) -> Callable[[], Work]:
    """A side: one forward and backward of a library's encoder."""

    def build() -> Work:
        from mcjepa_mm.apis.key_names import rename

        model = encoder(layer_scale)
        names = [name for name, _ in model.named_parameters()]
        run = nn.Module.__call__
        if library != 'mcjepa':
            construct, run = LIBRARIES[library]
            names = [rename(name, 'mcjepa', library) for name in names]
            weights = dict(zip(names, model.parameters()))
            model = construct(layer_scale)
            model.load_state_dict(weights)
        layout = (
            torch.channels_last if channels_last else torch.contiguous_format
        )
        model = model.to(device, memory_format=layout)
        parameters = dict(model.named_parameters())
        torch.manual_seed(1)
        batch = torch.randn(images, 3, SIZE, SIZE).to(device)
        batch = batch.contiguous(memory_format=layout)
        directions = [
            torch.randn(images, width, SIZE // stride, SIZE // stride)
            .to(device)
            .contiguous(memory_format=torch.channels_last)
            for width, stride in zip(WIDTHS, (4, 8, 16, 32), strict=True)
        ]

        def work() -> list[Tensor]:
            model.zero_grad()
            maps = run(model, batch)
            loss = sum(
                (feat * direction).mean()
                for feat, direction in zip(maps, directions, strict=True)
            )
            loss.backward()
            return [*maps, *(parameters[name].grad for name in names)]

        return work

    return build


def operations(images: int) -> int:
    """Products and sums of all convolutions and linear layers.

    The gradient with respect to input and weights costs twice the forward;
    the images have none.
    """
    half = WIDTHS[0] // 2
    first = (SIZE // 2) ** 2 * half * 3 * 16
    forward = first + (SIZE // 4) ** 2 * half * (half * 9 + WIDTHS[0] * 4)
    for i, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True)):
        positions = (SIZE // 4 // 2**i) ** 2
        forward += depth * positions * width * (49 + 8 * width)
        if i:
            forward += positions * width * WIDTHS[i - 1] * 4
    return 2 * images * (3 * forward - first)


def cases(device: str) -> list[Case]:
    """The peers as they are, channels-last, and without a layer scale."""
    found = []
    for images, layer_scale, channels_last in (
        (8, True, False),
        (16, True, False),
        (32, True, False),
        (16, True, True),
        (16, False, True),
    ):
        options = dict(layer_scale=layer_scale)
        sides = dict(
            ours=make('mcjepa', device, images, channels_last=False, **options)
        )
        for library in LIBRARIES:
            peer = make(
                library,
                device,
                images,
                channels_last=channels_last,
                **options,
            )
            name = f"{library}'s ConvNeXt"
            if channels_last:
                name += ', channels-last'
            sides.update(optional({name: peer}, f'{library}.models'))
        shape = f'({images}, 3, {SIZE}, {SIZE})'
        if not layer_scale:
            shape += ', no layer scale'
        found.append(
            Case(
                shape=shape,
                sides=sides,
                flops=operations(images),
                samples=images,
            )
        )
    return found
