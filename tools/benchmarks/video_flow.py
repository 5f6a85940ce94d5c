"""The forward flow of a frame pair: MCJEPAFlow beside mmflow's PWC-Net.

The models differ: PWC-Net, a third of our weights, estimates the flow to a
quarter of the size, as it does, from a pair that is padded to multiples of 64;
MCJEPAFlow with ConvNeXt-T estimates to the full size. So results are not
compared. Without a compiled mmcv both use the cost volume of this package.
Weights are random, which does not change the work.
"""

from collections.abc import Callable

import torch

from benchmarks._case import Case, Work, optional

SIZE = (436, 1024)
OURS = 'configs/_base_/models/mcjepa-flow_convnext-tiny.py'
PWCNET = 'mmflow::pwcnet/pwcnet_8xb1_slong_flyingchairs-384x448.py'


def make_ours(device: str, size: tuple[int, int]) -> Callable[[], Work]:
    """The package's, to the full size."""

    def make() -> Work:
        from pathlib import Path

        from mmengine.config import Config

        root = Path(__file__).resolve().parents[2]
        cfg = Config.fromfile(root / OURS)
        return _predict(cfg.model, 'predict', size, device)

    return make


def make_pwcnet(device: str, size: tuple[int, int]) -> Callable[[], Work]:
    """mmflow's, to a quarter of the size."""

    def make() -> Work:
        from mmengine.hub import get_config

        cfg = get_config(PWCNET).model
        cfg['_scope_'] = 'mmflow'
        padded = tuple(-(-side // 64) * 64 for side in size)
        return _predict(cfg, 'tensor', padded, device)

    return make


def _predict(cfg: dict, mode: str, size: tuple, device: str) -> Work:
    import mcjepa_mm.models  # noqa: F401  (registers ours)
    from mcjepa_mm.registry import MODELS

    torch.manual_seed(0)
    model = MODELS.build(cfg).to(device).eval()
    pair = torch.rand(1, 6, *size, device=device)

    @torch.inference_mode()
    def work() -> None:
        model(pair, mode=mode)

    return work


def cases(device: str, size: tuple[int, int] = SIZE) -> list[Case]:
    """A pair of Sintel's size."""
    return [
        Case(
            shape=f'{size[0]} x {size[1]}',
            sides={
                'ours': make_ours(device, size),
                **optional(
                    {"mmflow's PWC-Net": make_pwcnet(device, size)},
                    'mmflow.models',
                ),
            },
            tolerance=None,
        )
    ]
