from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mcjepa_mm.engine.extra_pass import extra_pass
from mcjepa_mm.models.backbones import MCJEPAConvNeXt
from mcjepa_mm.models.backbones.convnext import NUM_LEVELS
from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import unwrapped


@HOOKS.register_module()
class GradientMonitorHook(Hook):
    """Log norms and cosines of the tasks' gradients on the encoder.

    The log has, for each task and each level of the encoder,
    ``gradient/<task>/level3``: the norm of the gradient of the task's loss,
    weighted as in the total, with respect to the level's parameters; and
    ``gradient/cosine/<task>_<task>/level3``, the cosine between the gradients
    of two tasks that are in one step. A backbone that is not an
    MCJEPAConvNeXt is one group, ``encoder``. Clipping comes after what is
    measured.

    It is an extra pass on the step's own batch, before the step: each
    measurement costs a forward and a backward pass, task by task, and the
    memory of one more gradient of the encoder for each task. Training is the
    same with and without it: ``.grad``, random states, buffers (a batch
    norm's statistics) and a gradient scaler stay as they are. The pass has
    the step's precision and draws what the step will draw.

    With several processes the gradients are averaged over them, as the step's
    are; the model is used without its wrapper. A task without a batch in the
    step is waited for, and measured at the next step that has one. Figures of
    a gradient that is not finite are left out.

    Args:
        interval (int): Iterations from one measurement to the next. Defaults
            to 50.

    Raises:
        ValueError: If the interval is below 1.
        TypeError: Before training, if the model has no ``backbone`` and
            ``heads``, or nothing of the backbone is trained.
    """

    # when the other hooks have filled the batch and set weights
    priority = 'VERY_LOW'

    def __init__(self, interval: int = 50) -> None:
        if interval < 1:
            raise ValueError(
                f'GradientMonitorHook needs interval >= 1, got {interval}.'
            )
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Look up the encoder's parameters."""
        model = unwrapped(runner.model)
        if not (hasattr(model, 'backbone') and hasattr(model, 'heads')):
            raise TypeError(
                'GradientMonitorHook needs a model with a backbone and heads '
                f'by task, such as MultiTaskPretrainer, got a '
                f'{type(model).__name__}.'
            )
        self._levels = encoder_levels(model.backbone)
        if not self._levels:
            raise TypeError(
                'GradientMonitorHook: no parameter of the backbone is '
                'trained. Leave the hook out.'
            )
        self._wanted: set[str] = set()

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Measure the gradients if a task of this step is due."""
        model = unwrapped(runner.model)
        if self.every_n_train_iters(runner, self.interval):
            self._wanted = set(model.heads)
        if self._wanted.isdisjoint(data_batch):
            return
        self._wanted -= set(data_batch)
        with extra_pass(model):
            gradients = self._gradients(runner, model, data_batch)
        figures = {}
        for task, levels in gradients.items():
            for level, gradient in levels.items():
                figures[f'{task}/{level}'] = gradient.norm().item()
        for one, other in combinations(gradients, 2):
            for level in self._levels:
                length = (
                    figures[f'{one}/{level}'] * figures[f'{other}/{level}']
                )
                product = gradients[one][level].dot(gradients[other][level])
                # nothing has no direction
                figures[f'cosine/{one}_{other}/{level}'] = (
                    product.item() / length if length else torch.nan
                )
        for name, value in figures.items():
            if abs(value) < torch.inf:
                runner.message_hub.update_scalar(
                    f'train/gradient/{name}', value
                )

    def _gradients(
        self, runner: Runner, model: nn.Module, data_batch: dict[str, Any]
    ) -> dict[str, dict[str, Tensor]]:
        """Gradients (P,) by task and level, averaged over processes."""
        parameters = list(chain(*self._levels.values()))
        scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        # float16 would lose small gradients on the way
        scale = 1.0 if scaler is None else scaler.get_scale()
        data = model.data_preprocessor(data_batch, True)
        gradients: dict[str, dict[str, Tensor]] = {}
        # one after the other, in the order of the step
        for task, inputs in data['inputs'].items():
            with runner.optim_wrapper.optim_context(model):
                losses = model(
                    {task: inputs},
                    {task: data['data_samples'][task]},
                    mode='loss',
                )
            found = iter(
                torch.autograd.grad(
                    scale * sum(losses.values()),
                    parameters,
                    allow_unused=True,
                    materialize_grads=True,
                )
            )
            gradients[task] = {}
            for level, group in self._levels.items():
                flat = [next(found).float().flatten() for _ in group]
                gradient = torch.cat(flat) / scale
                all_reduce(gradient, 'mean')
                gradients[task][level] = gradient
        return gradients


def encoder_levels(backbone: nn.Module) -> Mapping[str, list[nn.Parameter]]:
    """Trainable parameters of each level of an encoder.

    Args:
        backbone (nn.Module): An MCJEPAConvNeXt has levels; another one is a
            single group, ``encoder``.

    Returns:
        Mapping[str, list[nn.Parameter]]: Without levels that are frozen.
    """
    groups: dict[str, Sequence[nn.Module]] = dict(encoder=[backbone])
    if isinstance(backbone, MCJEPAConvNeXt):
        groups = {f'level{i}': backbone.level(i) for i in range(NUM_LEVELS)}
    parameters = {
        name: [
            parameter
            for module in modules
            for parameter in module.parameters()
            if parameter.requires_grad
        ]
        for name, modules in groups.items()
    }
    return {name: group for name, group in parameters.items() if group}
