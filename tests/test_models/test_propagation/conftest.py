import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

# what others do, written out for the benchmark
sys.path.append(str(Path(__file__).parents[3] / 'tools'))


@pytest.fixture
def drifting_feats():
    """Function that makes features (h, w, C) of frames which change slowly."""

    def make(num_frames, size=(20, 26), channels=16, dtype=torch.float32):
        rng = torch.Generator().manual_seed(num_frames)
        coarse = [side // 3 for side in size]
        base = torch.randn(1, channels, *coarse, generator=rng)
        feats = []
        for _ in range(num_frames):
            noise = torch.randn(base.shape, generator=rng)
            x = F.interpolate(base + 0.3 * noise, size=size, mode='bicubic')
            x = F.normalize(x[0].permute(1, 2, 0).to(dtype), dim=2)
            feats.append(x)
        return feats

    return make


@pytest.fixture
def first_mask():
    """Function that draws a mask for a grid: objects 2 and 4, 8 px a cell."""

    def draw(size=(20, 26), larger=(3, -2)):
        mask = np.zeros([8 * s + d for s, d in zip(size, larger)], np.uint8)
        mask[30:90, 20:70] = 2
        mask[50:120, 90:120] = 4
        return mask

    return draw
