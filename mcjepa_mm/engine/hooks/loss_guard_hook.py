import math
from typing import Any

import torch
from mmengine.dist import all_gather, all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import Tensor

from mcjepa_mm.models.base_model import ModeModel
from mcjepa_mm.registry import HOOKS, MODEL_WRAPPERS
from mcjepa_mm.utils.dist import unwrapped


@MODEL_WRAPPERS.register_module()
class GuardedDataParallel(MMDistributedDataParallel):
    """mmengine's DDP wrapper for a ``ModeModel`` with a loss guard."""

    def train_step(
        self, data: Any, optim_wrapper: OptimWrapper
    ) -> dict[str, Tensor]:
        """Run mmengine's ``train_step``, or the loss guard's."""
        if self.module.loss_guard is None:
            return super().train_step(data, optim_wrapper)
        return self.module.loss_guard.train_step(self, data, optim_wrapper)


@HOOKS.register_module()
class LossGuardHook(Hook):
    """Stop before an optimiser step on a NaN or infinite loss.

    It makes the steps of a ``ModeModel``. All processes stop at the same
    step, also if the loss of one alone is at fault; the message names the
    terms, the iteration, the process and the samples of its batch. A step
    that float16's ``GradScaler`` leaves out because gradients overflowed is
    no fault; a loss that is not finite is, also in such a step.

    Args:
        tolerate (int): How many optimiser steps in a row may be left out
            before the run stops: weights, optimiser and buffers stay as they
            were. With gradient accumulation a step is left out if one of its
            forward passes was at fault. Above 0, the log has
            ``tolerated_steps``, those of the whole run. Defaults to 0.

    Raises:
        ValueError: If ``tolerate`` is negative.
        TypeError: Before training, if the run has not one optimiser in an
            mmengine ``OptimWrapper``, or its model is no ``ModeModel``.
        FloatingPointError: On every process, when the run has to stop.
    """

    def __init__(self, tolerate: int = 0) -> None:
        if tolerate < 0:
            raise ValueError(f'tolerate must be 0 or more, got {tolerate}.')
        self.tolerate = tolerate

    def before_train(self, runner: Runner) -> None:
        """Attach the guard to the model."""
        model, wrapper = runner.model, runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict) or not isinstance(
            model, (ModeModel, GuardedDataParallel)
        ):
            raise TypeError(
                'LossGuardHook guards one optimiser and a ModeModel, or a '
                f'GuardedDataParallel; got a {type(wrapper).__name__} and a '
                f'{type(model).__name__}. To train without it, set '
                'default_hooks.loss_guard to None.'
            )
        self._runner = runner
        self._leave_out = False
        self._counts = dict(total=0, in_row=0)
        saved = runner.message_hub.runtime_info.get('loss_guard', {})
        self._counts.update(saved)
        self._buffers = list(model.buffers()) if self.tolerate else []
        self._saved: list[Tensor] = []
        unwrapped(model).loss_guard = self

    def after_train(self, runner: Runner) -> None:
        """Detach the guard from the model."""
        unwrapped(runner.model).loss_guard = None

    def train_step(
        self, model: BaseModel, data: Any, optim_wrapper: OptimWrapper
    ) -> dict[str, Tensor]:
        """Run a training step that skips the update on a non-finite loss.

        The sum and its terms are on their way to the host while the backward
        pass is computed, in one copy, which the log reads as well.

        Returns:
            dict: What the log gets, means over the processes.
        """
        # with accumulation, those before the first pass of a step
        if optim_wrapper.should_update() or not self._saved:
            self._saved = [buffer.clone() for buffer in self._buffers]
        with optim_wrapper.optim_context(model):
            inputs = unwrapped(model).data_preprocessor(data, True)
            losses = model._run_forward(inputs, mode='loss')
        loss, log_vars = unwrapped(model).parse_losses(losses)
        names, table, event = _send_to_host(loss, log_vars)
        optim_wrapper.backward(optim_wrapper.scale_loss(loss))
        if event:
            event.synchronize()
        bad = {
            rank: [
                f'{k} is {x}'
                for k, x in zip(names, row)
                if k != 'loss' and not math.isfinite(x)
            ]
            or [f'loss is {total}']
            for rank, (total, *row) in enumerate(table[:-1].tolist())
            if not math.isfinite(total)
        }
        if bad:
            self._handle_nonfinite(bad, data)
        if optim_wrapper.should_update():
            if self._leave_out:
                for buffer, saved in zip(self._buffers, self._saved):
                    buffer.copy_(saved)
            else:
                self._counts['in_row'] = 0
                optim_wrapper.step()
            optim_wrapper.zero_grad()
            self._leave_out = False
        if self.tolerate:
            hub, total = self._runner.message_hub, self._counts['total']
            hub.update_scalar('train/tolerated_steps', total)
            hub.update_info('loss_guard', dict(self._counts))
        return {**log_vars, **dict(zip(names, table[-1, 1:].unbind()))}

    def _handle_nonfinite(self, bad: dict[int, list[str]], data: Any) -> None:
        """Stop the run or skip the step, the same on every process."""
        if not self._leave_out:
            self._leave_out = True
            self._counts['in_row'] += 1
            self._counts['total'] += 1
        names = all_gather_object(sample_names(data))
        step, in_row = self._runner.iter, self._counts['in_row']
        lines = [f'The loss of iteration {step + 1} is not finite.']
        for rank, terms in bad.items():
            lines.append(f'Rank {rank}: {", ".join(terms)}.')
            # terms are called task.term
            tasks = {term.partition('.')[0] for term in terms}
            tasks = tasks & names[rank].keys() or names[rank]
            lines += [
                f'Samples of {task} on rank {rank}: {names[rank][task]}.'
                for task in tasks
            ]
        text = (
            f'; {in_row} steps in a row were at fault, {self.tolerate} are '
            'tolerated'
        )
        if in_row > self.tolerate:
            lines.append(
                'The optimiser step was not taken, so weights and optimiser '
                f'are those after iteration {step}{text}. See '
                'docs/numerics.md.'
            )
            raise FloatingPointError('\n'.join(lines))
        lines.append(f'The optimiser step is skipped{text}.')
        self._runner.logger.warning('\n'.join(lines))


def _send_to_host(
    loss: Tensor, log_vars: dict
) -> tuple[list[str], Tensor, torch.cuda.Event | None]:
    """Start copying the terms to the CPU: names, (W + 1, 1 + terms), event.

    A row for each of W processes, then their mean; the sum comes first.
    """
    scalars = {
        name: value
        for name, value in log_vars.items()
        if isinstance(value, Tensor) and value.numel() == 1
    }
    dtype = torch.promote_types(loss.dtype, torch.float32)
    # some term may have been counted on the CPU
    row = [
        x.detach().to(loss.device, dtype) for x in (loss, *scalars.values())
    ]
    row = torch.stack([x.reshape(()) for x in row])
    rows = torch.stack(all_gather(row)) if get_world_size() > 1 else row[None]
    table = torch.cat([rows, rows.mean(dim=0, keepdim=True)])
    if not table.is_cuda:
        return list(scalars), table.cpu(), None
    host = torch.empty_like(table, device='cpu', pin_memory=True)
    host.copy_(table, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return list(scalars), host, event


def sample_names(batch: Any, limit: int = 8) -> dict[str, str]:
    """Format the samples of a batch by file and number.

    Args:
        batch (Any): ``{task: batch}``, or what one dataloader gave.
        limit (int): How many are named, of each task. Defaults to 8.

    Returns:
        dict[str, str]: By task, 'the batch' without tasks, names such as
        'clip.mp4 (sample_idx 4)', or 'sample 3' of what has none.
    """
    if not isinstance(batch, dict) or 'inputs' in batch:
        batch = {'the batch': batch}
    result = {}
    for task, part in batch.items():
        if isinstance(part, dict):
            key = 'data_samples' if 'data_samples' in part else 'inputs'
            samples = part.get(key, ())
        else:
            samples = [x.get('data_samples') for x in part]
        names = [_name(i, x) for i, x in enumerate(samples)]
        more = [f'and {len(names) - limit} more'] * (len(names) > limit)
        result[task] = ', '.join([*names[:limit], *more])
    return result


def _name(position: int, sample: Any) -> str:
    info = sample.metainfo if isinstance(sample, BaseDataElement) else {}
    files = {}  # each once: two frames may be of one video
    for key in sorted(key for key in info if key.endswith('path')):
        value = info[key] or ()
        files.update(
            dict.fromkeys([value] if isinstance(value, str) else value)
        )
    keys = ('sample_idx', 'img_id', 'frame_indices')
    numbers = ', '.join(f'{key} {info[key]}' for key in keys if key in info)
    if files:
        return ' and '.join(map(str, files)) + f' ({numbers})' * bool(numbers)
    return numbers or f'sample {position}'
