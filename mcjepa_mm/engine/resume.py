"""Choose the checkpoint that a training is resumed from."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mcjepa_mm.engine.config_schedule import ConfigSchedule
from mcjepa_mm.utils.dist import unwrapped
from mcjepa_mm.utils.safe_load import load_error

_DOS_FOLDER = 0x10
_NEEDED = ('meta', 'state_dict', 'message_hub', 'optimizer')


class ResumeHook(Hook):
    """Resume from the newest usable checkpoint.

    mmengine takes the one that ``last_checkpoint`` names, and ends in a
    traceback if that is truncated or somebody else's. Learning rates go on
    along the config's schedule, see
    :class:`~mcjepa_mm.engine.config_schedule.ConfigSchedule`.

    Args:
        path (str, optional): The only checkpoint that may be taken. By
            default the newest of the work dir, of the checkpoint hook's
            ``out_dir`` and of the folder that ``last_checkpoint`` names.
            Without any checkpoint the training starts from scratch.

    Raises:
        ValueError: Before training, on every process, if there are
            checkpoints and none can be resumed.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path

    def before_run(self, runner: Runner) -> None:
        """Choose on the main process and broadcast the choice."""
        choice: list[str | None] = [None, None]
        if is_main_process():
            choice = [*choose_checkpoint(runner, runner.work_dir, self.path)]
        broadcast_object_list(choice)
        path, error = choice
        if error:
            raise ValueError(error)
        if path is None:
            runner.logger.info(
                f'{runner.work_dir} has no checkpoint: the training begins.'
            )
        runner._resume = path is not None
        runner._load_from = path
        self._schedule = ConfigSchedule(runner)

    def before_train(self, runner: Runner) -> None:
        """Apply the config's schedule, and log if training is finished."""
        if runner.iter:
            change = self._schedule.go_on(runner)
            if change:
                runner.logger.warning(change)
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            what, done, wanted = 'epochs', loop.epoch, loop.max_epochs
        else:
            what, done, wanted = 'iters', loop.iter, loop.max_iters
        if done >= wanted:
            runner.logger.warning(
                f'The training is finished: {runner._load_from} is after '
                f'{done} {what} of {wanted}. To train longer, give --{what} '
                'a larger number.'
            )


def choose_checkpoint(
    runner: Runner, work_dir: str, path: str | None = None
) -> tuple[str | None, str | None]:
    """Find the checkpoint that a run would resume from.

    Args:
        runner (Runner): With the model. Its hooks may name other folders.
        work_dir (str): Where the checkpoints are.
        path (str, optional): The only one that may be taken.

    Returns:
        tuple[str | None, str | None]: The checkpoint, if any, and an error,
        if there are some and none can be taken. Those that are passed over
        are named in warnings.
    """
    wanted = unwrapped(runner.model).state_dict()
    last = _last_checkpoint(work_dir)
    named = path or last
    if named and '://' in named:
        runner.logger.warning(
            f'{named} is not on this machine: it is not checked whether it '
            'is complete and of this model.'
        )
        return named, None
    groups = [[Path(named)]] if path else _candidates(runner, work_dir, last)
    faults = []
    for group in groups:
        whole = []
        for candidate in group:
            fault, iteration = examine(candidate, wanted)
            if fault is None:
                changed = candidate.stat().st_mtime_ns
                whole.append((iteration, changed, candidate))
                continue
            runner.logger.warning(f'Passed over: {fault}.')
            faults.append(fault)
        if whole:
            return str(max(whole)[-1]), None
    if not faults:
        return None, None
    return None, (
        f'No checkpoint can be resumed, of {len(faults)}: {faults[0]}. '
        'Give --resume another checkpoint of this model, or empty the work '
        'dir to start over.'
    )


def examine(
    path: Path, wanted: dict[str, torch.Tensor]
) -> tuple[str | None, int]:
    """Check whether a training can be resumed from a file.

    Args:
        path (Path): The file.
        wanted (dict[str, Tensor]): The model's parameters and buffers.

    Returns:
        tuple: What is wrong with it, by name, None if nothing is; and after
        how many iterations it was written.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            # torch reads none of it, and leaves what the memory held
            folders = [
                x.filename
                for x in archive.infolist()
                if x.external_attr & _DOS_FOLDER
            ]
        # mapped into memory, so that nothing but its structure is read
        content = torch.load(
            path, map_location='cpu', weights_only=True, mmap=True
        )
    # what is raised depends on which byte of a foreign file they trip over
    except Exception as error:  # noqa: BLE001
        return str(load_error(path, error)), 0
    if damaged:
        return f'{path} is damaged: {damaged} has not its checksum', 0
    if folders:
        return f'{path} is damaged: {folders[0]} is marked as a folder', 0
    misfit = _find_misfit(path, content, wanted)
    return misfit, 0 if misfit else content['meta'].get('iter', 0)


def _find_misfit(
    path: Path, content: Any, wanted: dict[str, torch.Tensor]
) -> str | None:
    if not isinstance(content, dict) or set(_NEEDED) - set(content):
        return (
            f'{path} is not the state of a training, which has '
            f'{", ".join(_NEEDED)}'
        )
    shapes, expected = _shapes(content['state_dict']), _shapes(wanted)
    if shapes != expected:
        odd = sorted(set(shapes.items()) ^ set(expected.items()))
        return f'{path} is of another model: {odd[0][0]} differs'
    return None


def _shapes(weights: Any) -> dict[str, tuple]:
    # in an untrusted file it may be anything
    weights = weights if isinstance(weights, dict) else {}
    return {k: tuple(getattr(v, 'shape', ())) for k, v in weights.items()}


def _last_checkpoint(work_dir: str) -> str:
    path = Path(work_dir) / 'last_checkpoint'
    return path.read_text().strip() if path.is_file() else ''


def _candidates(runner: Runner, work_dir: str, last: str) -> list[list[Path]]:
    """Groups of candidate files, in order of preference.

    Those that are not older than the one that ``last_checkpoint`` names come
    first, together: it may have been written before a kill that came before
    the next naming, and the times of copied files tell nothing. The others
    may be of an earlier training in the same folder.
    """
    folders = {Path(work_dir).resolve()}
    if last:
        folders.add(Path(last).resolve().parent)
    # in its `out_dir` mmengine's hook makes a folder for each work dir
    folders |= {
        Path(hook.out_dir, Path(work_dir).name).resolve()
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and hook.out_dir
    }
    paths = [x for folder in folders for x in folder.glob('*.pth')]
    paths.sort(key=lambda x: x.stat().st_mtime_ns, reverse=True)
    names = [x.name for x in paths]
    at = names.index(Path(last).name) + 1 if Path(last).name in names else 0
    return [paths[:at], *([x] for x in paths[at:])]
