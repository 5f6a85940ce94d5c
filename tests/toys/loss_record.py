"""What a training computed, written down bit for bit and compared."""

import json
from pathlib import Path

import torch
from mmengine.hooks import Hook

from mcjepa_mm.registry import HOOKS


class BrokenOffError(Exception):
    """A training that breaks off here."""


@HOOKS.register_module()
class LossRecordHook(Hook):
    """A line ``{"iter": ..., "rank": ..., "losses": {...}}`` a step.

    JSON keeps all digits of a number. Each line is one write to the file, so
    that a kill leaves no half ones.
    ``break_after`` is the iteration after which the training breaks off.
    """

    def __init__(self, path: str, break_after: int | None = None) -> None:
        self.path = path
        self.break_after = break_after

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ):
        losses = {key: float(value) for key, value in outputs.items()}
        line = dict(iter=runner.iter, rank=runner.rank, losses=losses)
        with open(self.path, 'a') as file:
            file.write(json.dumps(line) + '\n')
        if runner.iter == self.break_after:
            raise BrokenOffError


def read_losses(path: Path) -> dict[tuple[int, int], list[dict]]:
    """All losses that were recorded of a step, by rank and iteration."""
    record = {}
    for text in path.read_text().splitlines():
        line = json.loads(text)
        step = record.setdefault((line['rank'], line['iter']), [])
        step.append(line['losses'])
    return record


def newest(folder: Path) -> dict:
    """The content of a run's newest checkpoint."""
    path = (folder / 'last_checkpoint').read_text()
    return torch.load(path, weights_only=True)


def assert_equal_state(a: dict, b: dict) -> None:
    """Weights, optimiser and schedules are equal, bit for bit."""
    for part in ('state_dict', 'optimizer', 'param_schedulers', 'streams'):
        _assert_equal(a[part], b[part], part)


def _assert_equal(a, b, name):
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), name
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), name
        for key in a:
            _assert_equal(a[key], b[key], f'{name}.{key}')
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), name
        for i, (x, y) in enumerate(zip(a, b)):
            _assert_equal(x, y, f'{name}[{i}]')
    else:
        assert a == b, name
