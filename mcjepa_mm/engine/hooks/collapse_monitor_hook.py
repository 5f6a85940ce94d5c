from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from mmengine.dist import all_gather, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mcjepa_mm.engine.extra_pass import in_extra_pass
from mcjepa_mm.evaluation.functional import (
    constant_share,
    embedding_std,
    rank_me,
    rms_correlation,
)
from mcjepa_mm.registry import HOOKS
from mcjepa_mm.utils.dist import unwrapped

MODULES = dict(content='heads.content.expander', backbone='backbone')


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Log figures that show a collapse of the embeddings.

    The log has, for each watched module, ``collapse/<name>/std`` (mean
    standard deviation of a dimension over the samples), ``RankMe``
    (effective rank after centring), ``correlation`` (root mean square between
    different dimensions) and ``constant`` (share of the energy that is one
    constant vector), over the samples of all processes. They come from the
    training's own forward pass; a map is averaged over its positions, a
    pyramid is its coarsest map. Of a module that a step calls several times,
    the first call is taken: VICReg's expander sees one view at a time, a
    backbone one task. A warning says when an embedding has collapsed, once
    until it has recovered: when all samples have nearly the same embedding,
    when its spread has vanished, or when few directions carry all of it.
    Another one says when most of its energy is one constant vector, which
    hides what varies from whoever does not centre it.

    Args:
        interval (int): Iterations from one measurement to the next. Defaults
            to 50.
        modules (dict[str, str], optional): Name in the log and path of each
            watched module. By default those that a pretrainer (a model with
            ``heads``) has of the content head's expander and the backbone,
            and none of another model.
        min_samples (int): Where a step of all processes has fewer, the next
            steps' are added. Defaults to 32.
        max_samples (int): No more are measured, since the cost of RankMe
            grows with the square. Defaults to 256.
        min_spread (float): Warn when the std falls below this share of the
            embedding's own root mean square, or of the highest std measured
            so far. Defaults to 0.05.
        min_rank (float): Warn when RankMe falls below this share of the most
            that it can be, min(samples - 1, dimensions). Defaults to 0.08.
        max_constant (float): Warn when the share of the constant is above
            this. Defaults to 0.9.

    Raises:
        ValueError: If a number is out of its range.
        AttributeError: Before training, if the model has not a module that
            ``modules`` names.
    """

    def __init__(
        self,
        interval: int = 50,
        modules: dict[str, str] | None = None,
        min_samples: int = 32,
        max_samples: int = 256,
        min_spread: float = 0.05,
        min_rank: float = 0.08,
        max_constant: float = 0.9,
    ) -> None:
        if interval < 1 or not 2 <= min_samples <= max_samples:
            raise ValueError(
                'CollapseMonitorHook needs interval >= 1 and 2 <= '
                f'min_samples <= max_samples, got {interval}, {min_samples} '
                f'and {max_samples}.'
            )
        self.interval = interval
        self.modules = modules
        self.min_samples = min_samples
        self.max_samples = max_samples
        self.min_spread = min_spread
        self.min_rank = min_rank
        self.max_constant = max_constant
        self._handles: list = []

    def before_train(self, runner: Runner) -> None:
        """Look up the modules to monitor."""
        model = unwrapped(runner.model)
        known = dict(model.named_modules())
        wanted = self.modules
        if wanted is None:
            # a network that is fine-tuned may well use few directions
            usual = MODULES if hasattr(model, 'heads') else {}
            wanted = {k: path for k, path in usual.items() if path in known}
        missing = [path for path in wanted.values() if path not in known]
        if missing:
            raise AttributeError(
                f'CollapseMonitorHook: {type(model).__name__} has no '
                f'{", no ".join(missing)}. Give `modules` the paths of '
                'modules, such as backbone.'
            )
        self._watched = {name: known[path] for name, path in wanted.items()}
        # By name: rows of the steps since the measurement began.
        self._rows: dict[str, list[Tensor]] = {}
        state = runner.message_hub.runtime_info.get('collapse_monitor', {})
        self._highest = dict(state.get('highest', {}))
        self._warned = set(state.get('warned', ()))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Register forward hooks on the modules that need samples."""
        if self.every_n_train_iters(runner, self.interval):
            # One that still waits for samples goes on.
            self._rows = {
                name: self._rows.get(name, []) for name in self._watched
            }
        self._heard: dict[str, Tensor] = {}
        self._handles = [
            self._watched[name].register_forward_hook(
                partial(self._listen, name)
            )
            for name in self._rows
        ]

    def _listen(
        self, name: str, module: nn.Module, args: Any, output: Any
    ) -> None:
        if name not in self._heard and not in_extra_pass():
            self._heard[name] = _embedding(name, output)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Measure the modules that have enough samples."""
        for handle in self._handles:
            handle.remove()
        for name, heard in self._heard.items():
            rows = self._rows[name]
            rows.append(heard)
            world = get_world_size()
            if world * sum(map(len, rows)) < self.min_samples:
                continue
            del self._rows[name]
            share = torch.cat(rows)[: -(-self.max_samples // world)]
            z = torch.cat(all_gather(share))
            if is_main_process():
                self._measure(runner, name, z.double())

    def _measure(self, runner: Runner, name: str, z: Tensor) -> None:
        if not z.isfinite().all():
            return  # no figure says more; LossGuardHook stops such a run
        std, rank = embedding_std(z), rank_me(z, centred=True)
        constant = constant_share(z)
        figures = dict(
            std=std,
            RankMe=rank,
            correlation=rms_correlation(z),
            constant=constant,
        )
        for key, value in figures.items():
            runner.message_hub.update_scalar(
                f'train/collapse/{name}/{key}', value
            )
        highest = max(std, self._highest.get(name, 0.0))
        self._highest[name] = highest
        size = z.square().mean().sqrt().item()
        most = min(len(z) - 1, z.shape[1])
        reasons = []
        if std <= self.min_spread * size:
            reasons.append(
                f'all samples have nearly the same embedding (std {std:.2g}, '
                f'root mean square {size:.2g})'
            )
        if std < self.min_spread * highest:
            reasons.append(
                f'its spread has vanished (std {std:.2g}, it was '
                f'{highest:.2g})'
            )
        if rank < self.min_rank * most:
            reasons.append(
                f'its effective rank is low (RankMe {rank:.1f} of at '
                f'most {most})'
            )
        self._report(runner, name, reasons)
        self._report_constant(runner, name, constant)
        runner.message_hub.update_info(
            'collapse_monitor',
            dict(highest=dict(self._highest), warned=sorted(self._warned)),
        )

    def _report(
        self, runner: Runner, name: str, reasons: Sequence[str]
    ) -> None:
        if reasons and name not in self._warned:
            self._warned.add(name)
            runner.logger.warning(
                f'The embedding of {name!r} has collapsed at iteration '
                f'{runner.iter + 1}: {"; ".join(reasons)}. Check the '
                'variance and covariance terms and their weights relative to '
                'the others, then the learning rate and the number of '
                'samples in a batch; see docs/numerics.md. Logged once until '
                'it recovers.'
            )
        elif not reasons and name in self._warned:
            self._warned.remove(name)
            runner.logger.info(
                f'The embedding of {name!r} is spread out again at iteration '
                f'{runner.iter + 1}.'
            )

    def _report_constant(
        self, runner: Runner, name: str, constant: float
    ) -> None:
        key = f'{name}/constant'
        if constant > self.max_constant and key not in self._warned:
            self._warned.add(key)
            runner.logger.warning(
                f'The embedding of {name!r} is nearly one constant vector at '
                f'iteration {runner.iter + 1}: {constant:.3f} of its energy. '
                'Centre embeddings before comparing them; `mim run '
                'mcjepa_mm diagnose` shows the levels with a constant, see '
                'docs/numerics.md. Logged once until it recovers.'
            )
        elif constant <= self.max_constant:
            self._warned.discard(key)


def _embedding(name: str, output: Any) -> Tensor:
    """Detach a module's output as (N, D) float32."""
    z = output if isinstance(output, Tensor) else output[-1]
    z = z.detach().float()
    if z.dim() == 4:
        z = z.mean(dim=(2, 3))
    if z.dim() != 2:
        raise ValueError(
            f'CollapseMonitorHook measures embeddings (N, D), maps (N, D, H, '
            f'W) or pyramids of maps; {name!r} gives {tuple(z.shape)}.'
        )
    return z
