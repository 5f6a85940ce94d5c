"""MC-JEPA on a page: one encoder, two tasks, one optimiser.

    python examples/mcjepa_minimal.py --steps 300

Content: two augmented views of an image should have the same embedding
(VICReg). Motion: a frame should be explained by the next one, moved by the
flow that is estimated from the same encoder's features, without labels.
Both losses are added and the encoder learns from both. The data is the
embedded world, made on the fly. Numbers are those of configs/
mcjepa_convnext.py; the rest of the package is this with hooks, many
processes, real data and resuming.
"""

import argparse
from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from torch import Tensor, nn

from mcjepa_mm.datasets import EmbeddedImages, EmbeddedPairs
from mcjepa_mm.evaluation.functional import endpoint_error, knn_accuracy
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.flow import (
    FlowDecoder,
    forward_backward_visibility,
    resize_flow,
    warp,
)
from mcjepa_mm.models.losses import (
    covariance_loss,
    feature_distance,
    invariance_loss,
    photometric_loss,
    smoothness_loss,
    variance_loss,
)

# Weights of L_vc on the levels of the pyramid, fine to coarse.
VARIANCE = (0.0001, 0.001, 0.01, 0.01, 0.01, 0.01)
COVARIANCE = (0.0, 0.0, 0.0, 0.001, 0.04, 0.04)
MEAN = (0.0, 0.0, 10.0, 10.0, 10.0, 10.0)  # not in the paper
FINEST = 1  # the level of stride 4 is the last at which flow is estimated


def swap(x: Tensor) -> Tensor:
    """Exchange the halves of a batch: motions there and motions back."""
    return torch.cat(x.chunk(2)[::-1])


class MCJEPA(nn.Module):
    """The encoder, and what each task has of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MCJEPAConvNeXt(
            dict(depths=(1, 1, 2, 1), channels=(32, 64, 96, 128)),
            layer_scale_init_value=0.0,
        )
        self.expander = nn.Sequential(
            nn.Linear(128, 512),
            nn.BatchNorm1d(512),
            nn.ReLU(),
            nn.Linear(512, 128, bias=False),
        )
        self.decoder = FlowDecoder(
            self.encoder.out_channels,  # of six levels, strides 2 to 64
            self.encoder.out_strides,
            finest=FINEST,
            radius=3,
            volume_scale='sqrt',
            hidden=(48, 32, 24),
        )
        self.encoder.init_weights()
        self.decoder.init_weights()

    def features(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of images (N, 3, H, W) in [0, 1], fine to coarse."""
        return self.encoder((images - 0.45) / 0.225)

    def embed(self, images: Tensor) -> Tensor:
        """The content of images: the mean of the coarsest map, (N, C)."""
        return self.features(images)[-1].mean((2, 3))

    def content_loss(self, view1: Tensor, view2: Tensor) -> Tensor:
        """VICReg: alike, but not all the same, and no number twice."""
        z1, z2 = (self.expander(self.embed(x)) for x in (view1, view2))
        return (
            6 * invariance_loss(z1, z2)
            + 25 * (variance_loss(z1) + variance_loss(z2)) / 2
            + covariance_loss(z1)
            + covariance_loss(z2)
        )

    def flow(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Flows of the levels of both frames' maps, each to the other."""
        return self.decoder(feats, [swap(x) for x in feats])

    def motion_loss(self, frames: Tensor, occlusion: float) -> Tensor:
        """L_rec, L_smooth, L_reg, L_cycle and L_vc.

        Args:
            frames (Tensor): (2 * N, 3, H, W), N first, then N second ones.
            occlusion (float): How much pixels without counterpart are left
                out: with 1 from the start, to call all occluded would win.
        """
        feats = self.features(frames)
        flows = self.flow(feats)
        flow = resize_flow(flows[0], frames.shape[-2:])
        seen = forward_backward_visibility(flow, swap(flow))
        mask = 1 - occlusion * (1 - seen)
        loss = photometric_loss(frames, warp(swap(frames), flow), mask)
        loss = loss + 20 * smoothness_loss(flow, frames)
        for level, flow in enumerate(flows, start=FINEST):
            feat, size = feats[level], flow.shape[-2:]
            seen = F.interpolate(mask, size, mode='area')
            there = warp(swap(feat), flow)
            and_back = warp(swap(there), flow)
            loss = loss + 0.01 * feature_distance(feat, there, seen)
            loss = loss + 0.002 * feature_distance(feat, and_back, seen)
            if 2 <= level <= 4:  # so that coarse flows learn as well
                image = F.interpolate(frames, size, mode='area')
                warped = warp(swap(image), flow)
                loss = loss + photometric_loss(image, warped, seen)
        for feat, *weights in zip(feats, VARIANCE, COVARIANCE, MEAN):
            z = feat.movedim(1, -1).flatten(0, 2)  # no map may collapse
            z = z[torch.randperm(len(z))[:2048]]
            mean = z.mean(0).square().mean()
            vc = variance_loss(z), covariance_loss(z), mean
            loss = loss + 0.01 * sum(w * x for w, x in zip(weights, vc))
        return loss


def images_of(data: EmbeddedImages, numbers: Iterable[int]) -> Tensor:
    """Some images as (N, 3, H, W) in [0, 1]."""
    images = np.stack([data[i]['img'][..., ::-1] for i in numbers])
    return torch.from_numpy(images).movedim(-1, 1) / 255


def augment(images: Tensor) -> Tensor:
    """A view of each image: (N, 3, H, W) to (N, 3, 64, 64)."""
    n = len(images)
    # A window of 0.3 to all of the area, anywhere, perhaps mirrored.
    side = torch.empty(n).uniform_(0.3, 1).sqrt()
    window = torch.zeros(n, 2, 3)
    window[:, 0, 0] = side * (1 - 2 * torch.randint(2, (n,)))
    window[:, 1, 1] = side
    window[:, :, 2] = (1 - side[:, None]) * torch.empty(n, 2).uniform_(-1, 1)
    grid = F.affine_grid(window, [n, 3, 64, 64], align_corners=False)
    views = F.grid_sample(images, grid, align_corners=False)
    # Colours turned about the gray axis, paler or stronger or none at all.
    angle = 2 * torch.pi * torch.rand(n, 1, 1)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / 3**0.5
    turn = angle.cos() * (torch.eye(3) - 1 / 3) + angle.sin() * cross
    strength = torch.empty(n, 1, 1).uniform_(0.4, 1.6)
    strength *= torch.rand(n, 1, 1) > 0.3
    light = torch.empty(n, 1, 1).uniform_(0.6, 1.4)
    views = (light * (strength * turn + 1 / 3)) @ views.flatten(2)
    return views.view(n, 3, 64, 64).clamp(0, 1)


def frames_of(data: EmbeddedPairs, numbers: Iterable[int]) -> Tensor:
    """Some pairs as (2 * N, 3, H, W) in [0, 1], all first frames first."""
    pairs = torch.stack([data[i]['inputs'] for i in numbers], dim=1)
    return pairs.flatten(0, 1) / 255


@torch.no_grad()
def evaluate(model: MCJEPA, pairs: int = 32, images: int = 500) -> dict:
    """End-point error beside that of no motion, kNN accuracy (chance 0.1)."""
    model.eval()
    data = EmbeddedPairs(pairs, split='val')
    samples = [data[i]['data_samples'] for i in range(pairs)]
    truth = torch.stack([x.gt_flow_fw.data for x in samples])
    flow = model.flow(model.features(frames_of(data, range(pairs))))[0]
    flow = resize_flow(flow[:pairs], truth.shape[-2:])
    data = EmbeddedImages(images, split='val', size=(64, 64))
    embeddings = model.embed(images_of(data, range(images)))
    model.train()
    return dict(
        epe=endpoint_error(flow, truth).item(),
        epe_of_zero_flow=endpoint_error(0 * truth, truth).item(),
        knn=knn_accuracy(embeddings, torch.arange(images) % 10),
    )


def train(model: MCJEPA, steps: int, batch: tuple[int, int] = (32, 4)) -> list:
    """Some steps on so many images and pairs; returns each step's loss."""
    images = EmbeddedImages(3200, cache=True)
    pairs = EmbeddedPairs(20000, with_gt=False)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-6)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1e-3, total_steps=steps + 10, pct_start=0.1
    )
    losses = []
    for step in range(steps):
        numbers = torch.randint(len(images), (batch[0],)).tolist()
        chosen = images_of(images, numbers)
        content = model.content_loss(augment(chosen), augment(chosen))
        numbers = torch.randint(len(pairs), (batch[1],)).tolist()
        frames = frames_of(pairs, numbers)
        # The check of there and back means something once there is a flow.
        occlusion = max(0.0, 5 * step / steps - 4)
        motion = model.motion_loss(frames, occlusion)
        loss = 0.1 * content + motion
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 20 == 19:
            print(
                f'step {step + 1}: content {content:.2f}, motion {motion:.3f}',
                flush=True,
            )
    return losses


def main() -> None:
    """Evaluate, train, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--steps', type=int, default=300)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    MMLogger.get_instance('example', log_level='WARNING')
    torch.manual_seed(args.seed)
    model = MCJEPA()
    for title in ('before', 'after'):
        found = evaluate(model)
        print(title, ', '.join(f'{k} {v:.3f}' for k, v in found.items()))
        if title == 'before':
            train(model, args.steps)


if __name__ == '__main__':
    main()
