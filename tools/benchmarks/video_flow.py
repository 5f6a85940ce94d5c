"""Forward flow, MCJEPAFlow beside mmflow's PWC-Net: of a pair, of a film.

A film's next frame costs ours one encoding, since the frame before has one, as
in FlowInferencer; PWC-Net of mmflow takes pairs.

The models differ: PWC-Net, a third of our weights, estimates the flow to a
quarter of the size, as it does, from a pair that is padded to multiples of 64;
MCJEPAFlow with ConvNeXt-T estimates to the full size. So results are not
compared. Without a compiled mmcv both use the cost volume of this package.
Weights are random, which does not change the work.
"""

from collections.abc import Callable

import torch

from benchmarks._case import Case, Work, optional
from benchmarks._loading import CONFIGS

SIZE = (436, 1024)
OURS = 'models/mcjepa-flow_convnext-tiny.py'
PWCNET = 'mmflow::pwcnet/pwcnet_8xb1_slong_flyingchairs-384x448.py'


def make_ours(
    device: str, size: tuple[int, int], film: bool
) -> Callable[[], Work]:
    """The package's, to the full size."""

    def make() -> Work:
        from mmengine.config import Config

        model = _build(Config.fromfile(CONFIGS / OURS).model, device)
        pair = torch.rand(1, 6, *size, device=device)
        if not film:
            return _without_gradients(lambda: model(pair, mode='predict'))
        before, frame = pair.chunk(2, dim=1)
        with torch.inference_mode():
            known = model.encode(before)
        return _without_gradients(
            lambda: model.estimate(known, model.encode(frame), size)
        )

    return make


def make_pwcnet(device: str, size: tuple[int, int]) -> Callable[[], Work]:
    """mmflow's, to a quarter of the size."""

    def make() -> Work:
        from mmengine.hub import get_config

        cfg = get_config(PWCNET).model
        cfg['_scope_'] = 'mmflow'
        model = _build(cfg, device)
        padded = (-(-side // 64) * 64 for side in size)
        pair = torch.rand(1, 6, *padded, device=device)
        return _without_gradients(lambda: model(pair, mode='tensor'))

    return make


def _build(cfg: dict, device: str) -> torch.nn.Module:
    import mcjepa_mm.models  # noqa: F401  (registers ours)
    from mcjepa_mm.registry import MODELS

    torch.manual_seed(0)
    return MODELS.build(cfg).to(device).eval()


def _without_gradients(call: Callable[[], object]) -> Work:
    @torch.inference_mode()
    def work() -> None:
        call()

    return work


def cases(device: str, size: tuple[int, int] = SIZE) -> list[Case]:
    """A pair of Sintel's size, and a film of such frames."""
    peers = optional(
        {"mmflow's PWC-Net": make_pwcnet(device, size)}, 'mmflow.models'
    )
    return [
        Case(
            shape=f'{name}, {size[0]} x {size[1]}',
            sides={'ours': make_ours(device, size, film), **peers},
            tolerance=None,
        )
        for name, film in (('a pair', False), ("a film's next frame", True))
    ]
