"""Mixed precision training on GPU and CPU."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mcjepa_mm.registry import OPTIM_WRAPPERS

DTYPES = dict(bfloat16=torch.bfloat16, float16=torch.float16)


@OPTIM_WRAPPERS.register_module()
class MixedPrecisionOptimWrapper(OptimWrapper):
    """Optimizer wrapper with autocast and float32 weights.

    mmengine's ``AmpOptimWrapper`` asserts an accelerator when it is built, so
    a config with it cannot be tried on a CPU. This one takes the device from
    the parameters. The losses of this package compute in float32 either way.

    bfloat16 has float32's range and needs nothing more. float16's small
    gradients would become 0, so the loss is scaled up; a step whose gradients
    overflow is left out and the scale halved.

    Args:
        optimizer (Optimizer): Its parameters lie on the model's device.
        dtype (str): 'bfloat16' or 'float16'. Defaults to 'bfloat16'.
        loss_scale (str | float | dict): For float16: 'dynamic', a number that
            stays, or the arguments of ``torch.amp.GradScaler``. Defaults to
            'dynamic'.
        **kwargs: mmengine's ``accumulative_counts`` and ``clip_grad``.

    Raises:
        ValueError: For another dtype, or a loss scale that is not one or has
            no use.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        dtype: str = 'bfloat16',
        loss_scale: str | float | dict = 'dynamic',
        **kwargs,
    ) -> None:
        super().__init__(optimizer, **kwargs)
        if dtype not in DTYPES:
            raise ValueError(
                f'dtype must be one of {sorted(DTYPES)}, got {dtype!r}.'
            )
        if dtype != 'float16' and loss_scale != 'dynamic':
            raise ValueError(
                f'{dtype} needs no loss scale, got loss_scale={loss_scale!r}: '
                "leave it out, or set dtype='float16'."
            )
        self.dtype = DTYPES[dtype]
        self.device_type = optimizer.param_groups[0]['params'][0].device.type
        self.loss_scaler, self.constant_scale = _make_scaler(
            loss_scale, self.device_type, enabled=dtype == 'float16'
        )

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run forward passes under autocast; see mmengine's."""
        with (
            super().optim_context(model),
            torch.autocast(self.device_type, dtype=self.dtype),
        ):
            yield

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Run backward on the scaled loss."""
        super().backward(self.loss_scaler.scale(loss), **kwargs)

    def step(self, **kwargs) -> None:
        """Unscale and clip the gradients; step if all are finite."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self.constant_scale)

    def state_dict(self) -> dict:
        """Optimiser state, and ``loss_scaler`` as numbers for float16."""
        state = super().state_dict()
        if self.loss_scaler.is_enabled():
            state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state; without a loss scale keep the initial one."""
        scaler = state_dict.pop('loss_scaler', None)
        if scaler and self.loss_scaler.is_enabled():
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)


def _make_scaler(
    loss_scale: str | float | dict, device_type: str, enabled: bool
) -> tuple[torch.amp.GradScaler, float | None]:
    constant, settings = None, {}
    if isinstance(loss_scale, dict):
        settings = loss_scale
    elif loss_scale != 'dynamic':
        if not isinstance(loss_scale, int | float) or loss_scale <= 0:
            raise ValueError(
                "loss_scale must be 'dynamic', a number above 0, or the "
                f'arguments of torch.amp.GradScaler, got {loss_scale!r}.'
            )
        constant = float(loss_scale)
        settings = dict(init_scale=constant)
    scaler = torch.amp.GradScaler(device_type, enabled=enabled, **settings)
    return scaler, constant
