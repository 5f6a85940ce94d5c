from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mcjepa_mm.registry import MODELS

from ..precision import full_precision
from .base_pretext_head import BasePretextHead, EncoderInfo, fill_in


@full_precision
def map_distance(student: Tensor, teacher: Tensor, kind: str) -> Tensor:
    """Distance of two maps whose cells are normalised over the channels.

    Args:
        student (Tensor): (N, C, h, w); it is resized to the teacher's cells.
        teacher (Tensor): (N, C, H, W).
        kind (str): 'cosine': 1 less the cosine of a cell's two vectors;
            'smooth_l1': smooth L1 with its corner at 1, of vectors with mean
            0 and variance 1.

    Returns:
        Tensor: Scalar, the mean over cells (and channels).
    """
    if student.shape[2:] != teacher.shape[2:]:
        student = F.interpolate(
            student,
            teacher.shape[2:],
            mode='bilinear',
            align_corners=False,
            antialias=True,
        )
    if kind == 'cosine':
        return 1 - F.cosine_similarity(student, teacher, dim=1).mean()
    return F.smooth_l1_loss(
        *(
            F.layer_norm(x.movedim(1, -1), x.shape[1:2])
            for x in (student, teacher)
        )
    )


@MODELS.register_module()
class DistillationHead(BasePretextHead):
    """Distillation task: match the maps of a frozen teacher.

    A 1 x 1 convolution brings a level of the encoder to the channels of the
    teacher's map, and :func:`map_distance` compares the two, for each view,
    of however many a sample has. The teacher gets the same images, normalised
    by the same mean and std.

    The teacher is no part of the model: it is neither trained nor in its
    ``state_dict``, nor seen by an optimiser, an EMA or other processes. A
    resumed run takes it from where its own config says, as the first one did.

    Args:
        in_channels (Sequence[int]): Channels of each level of the encoder; a
            pretrainer takes them from it.
        teacher (dict): Config of a backbone, of this package or of
            mmpretrain's ('mmpretrain.TIMMBackbone' for timm's), that says
            by ``init_cfg`` or otherwise which weights it has: images
            (N, 3, H, W) to maps.
        levels (Sequence[Sequence[int]]): Pairs of a level of the encoder and
            the number of the teacher's map that it is compared with.
            Defaults to ((-1, -1),), the last ones.
        teacher_channels (Sequence[int], optional): Channels of the teacher's
            map in each pair. By default the teacher's ``out_channels`` say
            it; mmpretrain's backbones do not have one a map.
        distance (str): 'cosine' or 'smooth_l1', see :func:`map_distance`.
            Defaults to 'cosine'.
        loss_weight (float): Weight of the task. Defaults to 1.
        init_cfg (dict, optional): mmengine's initialisation.

    Raises:
        ValueError: If there is no such level or distance, or the channels
            of the teacher's maps are not known, or are others.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        teacher: dict,
        *,
        levels: Sequence[Sequence[int]] = ((-1, -1),),
        teacher_channels: Sequence[int] | None = None,
        distance: str = 'cosine',
        loss_weight: float = 1.0,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(
            num_views=1, loss_weight=loss_weight, init_cfg=init_cfg
        )
        if distance not in ('cosine', 'smooth_l1'):
            raise ValueError(
                "The distance of a DistillationHead is 'cosine' or "
                f"'smooth_l1', got {distance!r}."
            )
        self.distance = distance
        self.levels = [tuple(pair) for pair in levels]
        # in a list: what is a module's own is saved, moved and trained
        self._teacher = [MODELS.build(teacher)]
        self.teacher.requires_grad_(False)
        self.teacher.eval()
        widths = teacher_channels or self._widths()
        if len(widths) != len(self.levels):
            raise ValueError(
                '`teacher_channels` must be one number for each pair of '
                f'`levels`, {len(self.levels)}, got {widths}.'
            )
        self.projections = nn.ModuleList(
            nn.Conv2d(_pick(in_channels, level, 'the encoder'), width, 1)
            for (level, _), width in zip(self.levels, widths)
        )

    @property
    def teacher(self) -> nn.Module:
        """nn.Module: The frozen teacher."""
        return self._teacher[0]

    @classmethod
    def complete(cls, cfg: dict, encoder: EncoderInfo) -> dict:
        return fill_in(cfg, in_channels=encoder.channels)

    def init_weights(self) -> None:
        """Initialise the head, and give the teacher its weights."""
        super().init_weights()
        # that of timm has them since it was built
        if not getattr(self.teacher, 'is_init', True):
            self.teacher.init_weights()

    def loss(
        self,
        feats: tuple[Tensor, ...],
        inputs: Tensor,
        encode: Callable | None = None,
    ) -> dict[str, Tensor]:
        maps = self.targets(inputs)
        distances = []
        for (level, number), project in zip(self.levels, self.projections):
            target = _pick(maps, number, 'the teacher')
            if target.dim() != 4 or target.shape[1] != project.out_channels:
                raise ValueError(
                    f'Map {number} of the teacher '
                    f'{type(self.teacher).__name__} should be (N, '
                    f'{project.out_channels}, H, W), got '
                    f'{tuple(target.shape)}: set `teacher_channels`, and a '
                    'teacher that returns maps.'
                )
            distances.append(
                map_distance(project(feats[level]), target, self.distance)
            )
        return dict(distance=torch.stack(distances).mean())

    @torch.no_grad()
    def targets(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The teacher's maps of (N, V, 3, H, W), on whatever device."""
        return self.teacher.to(inputs.device)(inputs.flatten(0, 1))

    def _widths(self) -> list[int]:
        known = getattr(self.teacher, 'out_channels', None)
        if not isinstance(known, (tuple, list)):
            raise ValueError(
                f'The teacher {type(self.teacher).__name__} does not tell '
                'the channels of its maps: set `teacher_channels`, one for '
                f'each of the {len(self.levels)} pairs of `levels`.'
            )
        return [
            _pick(known, number, 'the teacher') for _, number in self.levels
        ]


def _pick(maps: Sequence, number: int, whose: str) -> Any:
    """One of the maps, or of what is known of each."""
    if not -len(maps) <= number < len(maps):
        raise ValueError(
            f'`levels` of a DistillationHead name map {number} of {whose}, '
            f'which has {len(maps)}.'
        )
    return maps[number]
