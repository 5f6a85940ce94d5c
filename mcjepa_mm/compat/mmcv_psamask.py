"""mmcv's operator of point-wise spatial attention, in torch.

The stand-in :mod:`mcjepa_mm.compat.mmcv_ext` calls this module in place of
the two compiled functions behind ``mmcv.ops.PSAMask``, so that
mmsegmentation's PSANet runs beside mmcv-lite. It is imported when the
operator is first called, because it imports torch.

PSANet (Zhao et al., ECCV 2018) predicts at every position (y, x) a mask that
is centred there. The operator lays the masks over the map: entry (i, j) of
the mask at (y, x) belongs to the position (y + i - half, x + j - half), and
what falls beside the map is left out. Every entry has one place, so either
direction is a look-up.
"""

import torch
from torch import Tensor

_COLLECT, _DISTRIBUTE = 0, 1


def psamask_forward(
    input: Tensor,
    output: Tensor,
    *,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Write what every position thinks of every other into ``output``.

    Args:
        input (Tensor): (N, h_mask * w_mask, H, W), the masks.
        output (Tensor): (N, H * W, H, W), written in place; 0 where a mask
            does not reach.
        psa_type (int): 0 'collect': the mask's owner is the position in the
            last two dimensions, and what it looks at the one in the second.
            1 'distribute': the other way round.
        num_ (int): N.
        h_feature (int): H.
        w_feature (int): W.
        h_mask (int): Rows of a mask.
        w_mask (int): Columns of a mask.
        half_h_mask (int): Row of a mask that lies on its owner.
        half_w_mask (int): Column of a mask that lies on its owner.
    """
    masks = input.view(num_, h_mask, w_mask, h_feature, w_feature)
    # (H, H) and (W, W): place looked at, owner
    rows = _offsets(h_feature, h_feature, -1, half_h_mask, input.device)
    columns = _offsets(w_feature, w_feature, -1, half_w_mask, input.device)
    result = _look_up(masks, rows, columns).flatten(3).flatten(1, 2)
    if psa_type == _DISTRIBUTE:
        result = result.transpose(1, 2)
    output.copy_(result.reshape(output.shape))


def psamask_backward(
    grad_output: Tensor,
    grad_input: Tensor,
    *,
    psa_type: int,
    num_: int,
    h_feature: int,
    w_feature: int,
    h_mask: int,
    w_mask: int,
    half_h_mask: int,
    half_w_mask: int,
) -> None:
    """Write the gradient of the masks into ``grad_input``.

    Args:
        grad_output (Tensor): (N, H * W, H, W).
        grad_input (Tensor): (N, h_mask * w_mask, H, W), written in place.
        psa_type (int): As in :func:`psamask_forward`, and so the rest.
        num_ (int): N.
        h_feature (int): H.
        w_feature (int): W.
        h_mask (int): Rows of a mask.
        w_mask (int): Columns of a mask.
        half_h_mask (int): Row of a mask that lies on its owner.
        half_w_mask (int): Column of a mask that lies on its owner.
    """
    grads = grad_output.flatten(2)
    if psa_type == _DISTRIBUTE:
        grads = grads.transpose(1, 2)
    size = (h_feature, w_feature)
    grads = grads.unflatten(2, size).unflatten(1, size)
    # (h_mask, H) and (w_mask, W): entry of the mask, owner
    rows = _offsets(h_mask, h_feature, 1, -half_h_mask, grads.device)
    columns = _offsets(w_mask, w_feature, 1, -half_w_mask, grads.device)
    grad_input.copy_(_look_up(grads, rows, columns).flatten(1, 2))


def _offsets(
    count: int, owners: int, sign: int, shift: int, device: torch.device
) -> Tensor:
    """(count, owners): index k + sign * owner + shift of entry (k, owner)."""
    entries = torch.arange(count, device=device)
    return (
        entries[:, None] + sign * torch.arange(owners, device=device) + shift
    )


def _look_up(values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Move the entries of every owner, in height and in width.

    Args:
        values (Tensor): (N, A, B, H, W), owner (h, w).
        rows (Tensor): (A2, H), indices into A; 0 is read outside of it.
        columns (Tensor): (B2, W), indices into B.

    Returns:
        Tensor: (N, A2, B2, H, W).
    """
    height, width = values.shape[1:3]
    owners = [torch.arange(n, device=values.device) for n in values.shape[3:]]
    result = values[
        :,
        rows.clamp(0, height - 1)[:, None, :, None],
        columns.clamp(0, width - 1)[None, :, None, :],
        owners[0][:, None],
        owners[1],
    ]
    outside_rows = (rows < 0) | (rows >= height)
    outside_columns = (columns < 0) | (columns >= width)
    result.masked_fill_(outside_rows[:, None, :, None], 0)
    return result.masked_fill_(outside_columns[:, None, :], 0)
