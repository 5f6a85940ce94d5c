"""Reference implementation of DINO's label propagation.

The ground truth of tests too.
"""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor


def plain_labels(
    query: Tensor,
    keys: list[Tensor],
    labels: list[Tensor],
    radius: int,
    topk: int,
    temperature: float,
) -> Tensor:
    """All cells against all cells of all frames, then what may not count."""
    height, width, channels = query.shape
    query = query.reshape(-1, channels)
    keys = torch.stack([key.reshape(-1, channels) for key in keys])
    affinity = torch.exp(query @ keys.transpose(1, 2) / temperature)
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij'
    )
    y, x = (side.flatten().to(query.device) for side in (y, x))
    near = (y[:, None] - y).abs() <= radius
    near &= (x[:, None] - x).abs() <= radius
    affinity = affinity * near
    # from frames x queries x cells to queries x (frames x cells)
    affinity = affinity.transpose(0, 1).reshape(height * width, -1)
    best = torch.topk(affinity, topk, dim=1).values
    affinity[affinity < best.min(dim=1, keepdim=True).values] = 0
    affinity = affinity / affinity.sum(dim=1, keepdim=True)
    shares = torch.cat([x.reshape(height * width, -1) for x in labels])
    return (affinity @ shares.to(affinity.dtype)).view(height, width, -1)


def plain_masks(
    feats: list[Tensor],
    first_mask: np.ndarray,
    image_size: tuple[int, int],
    *,
    context_frames: int = 7,
    radius: int = 12,
    topk: int = 5,
    temperature: float = 0.1,
) -> list[np.ndarray]:
    """Masks of all frames but the first, from their features (h, w, C)."""
    height, width, _channels = feats[0].shape
    feats = [x / x.norm(dim=2, keepdim=True) for x in feats]
    small = Image.fromarray(first_mask).resize((width, height), 0)
    one_hot = F.one_hot(torch.from_numpy(np.array(small)).long())
    first = (feats[0], one_hot.to(feats[0]))
    queue, masks = [], []
    for feat in feats[1:]:
        keys, labels = zip(first, *queue)
        soft = plain_labels(
            feat, list(keys), list(labels), radius, topk, temperature
        )
        queue = [*queue, (feat, soft)][-context_frames:]
        large = F.interpolate(
            soft.permute(2, 0, 1)[None],
            size=image_size,
            mode='bilinear',
            align_corners=False,
        )[0]
        for channel in large:
            if channel.max() > 0:
                channel -= channel.min()
                channel /= channel.max()
        mask = Image.fromarray(large.argmax(dim=0).byte().cpu().numpy())
        masks.append(np.array(mask.resize(first_mask.shape[::-1], 0)))
    return masks
