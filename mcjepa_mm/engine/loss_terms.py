"""The loss terms of one forward pass, on their way to the host."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


class LossTerms:
    """Send the sum and the terms of all processes to the host in one copy.

    On a GPU the copy goes to pinned memory and nothing waits for it but
    :meth:`wait`. With several processes one small collective precedes it, so
    all of them see the same numbers; they must have the same terms.

    Args:
        total (Tensor): The sum that is minimised, a scalar.
        log_vars (Mapping): What ``parse_losses`` gives the log; what is not
            a scalar tensor is left as it is.
    """

    def __init__(self, total: Tensor, log_vars: Mapping[str, Any]) -> None:
        scalars = {
            name: value
            for name, value in log_vars.items()
            if isinstance(value, Tensor) and value.numel() == 1
        }
        self.names = list(scalars)
        dtype = torch.promote_types(total.dtype, torch.float32)
        row = torch.stack(
            [
                # some term may have been counted on the CPU
                x.detach().reshape(()).to(total.device, dtype)
                for x in (total, *scalars.values())
            ]
        )
        rows = row[None]
        if get_world_size() > 1:
            rows = torch.stack(all_gather(row))
        # (W + 1, 1 + terms): a row for each process, then their mean
        table = torch.cat([rows, rows.mean(dim=0, keepdim=True)])
        self._event = None
        if table.is_cuda:
            self._host = torch.empty_like(
                table, device='cpu', pin_memory=True
            ).copy_(table, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._host = table.cpu()
        means = self._host[-1, 1:].unbind()
        self.log_vars = {**log_vars, **dict(zip(self.names, means))}
        """dict: The log's values, means over the processes on the host. They
        hold nothing before :meth:`wait`."""

    def wait(self) -> None:
        """Return when the numbers have arrived, whatever else is running."""
        if self._event is not None:
            self._event.synchronize()
            self._event = None

    def not_finite(self) -> dict[int, dict[str, float]]:
        """The processes whose sum is NaN or infinite, and their bad terms.

        A term that the sum does not contain, such as an accuracy, makes no
        process guilty. If every term is finite, the sum itself is named.

        Returns:
            dict[int, dict[str, float]]: {rank: {term: value}}.
        """
        self.wait()
        guilty = {}
        for rank, (total, *terms) in enumerate(self._host[:-1].tolist()):
            if not math.isfinite(total):
                guilty[rank] = {
                    name: value
                    for name, value in zip(self.names, terms, strict=True)
                    if name != 'loss' and not math.isfinite(value)
                } or dict(loss=total)
        return guilty
