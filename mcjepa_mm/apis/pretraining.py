"""Pretrain on folders of images and videos, by one call."""

import gc
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.device import get_device
from mmengine.runner import Runner

from mcjepa_mm.datasets.bad_samples import BadSampleError
from mcjepa_mm.datasets.clips import find_images, printable, walk
from mcjepa_mm.datasets.packed_folder import is_packed
from mcjepa_mm.datasets.transforms.image_loading import read_image
from mcjepa_mm.engine.launch import build_runner, load_config
from mcjepa_mm.models.backbones import read_backbone
from mcjepa_mm.utils.named_weights import SCHEME, find_weights, full_name

from .convert_keys import convert_keys, library_of_checkpoint
from .feature_maps import draw_feature_maps
from .pretraining_config import SIZES, read_arguments, write_pretraining
from .training_check import check_training
from .training_results import (
    metric_table,
    training_pictures,
    validation_metrics,
)

CONFIG = 'pretrain.py'
"""The file in the run's folder that says how it is trained."""


class Pretraining(NamedTuple):
    """A finished pretraining.

    Attributes:
        config (Path): The config that it was trained with.
        checkpoint (Path): The last checkpoint.
        metrics (dict[str, float]): The last validation's, by name; empty
            without one.
        pictures (list[Path]): What was drawn of the trained model.
    """

    config: Path
    checkpoint: Path
    metrics: dict[str, float]
    pictures: list[Path]


def pretrain(
    *,
    images: str | os.PathLike | None = None,
    videos: str | os.PathLike | None = None,
    out: str | os.PathLike,
    size: str | None = None,
    init: str | os.PathLike | None = None,
    epochs: int | None = None,
    epoch_length: int | None = None,
    cfg_options: Sequence[str] = (),
    device: str | None = None,
) -> Pretraining:
    """Pretrain an encoder on folders of images and videos.

    The config is written to ``out``, tried by a few steps, and trained. With
    videos alone the two views of content are of two frames of a clip; with
    images alone there is no motion, which is VICReg. A second call with the
    same ``out`` goes on where the first was stopped.

    Args:
        images (str | PathLike, optional): Folder of images, at any depth.
        videos (str | PathLike, optional): Folder of videos and of folders of
            frames, at any depth.
        out (str | PathLike): Folder of the run, made if needed.
        size (str, optional): Of the encoder: 'micro', or one of ConvNeXt's,
            'atto' to 'large'. Defaults to None: 'tiny' on a GPU, else
            'micro'. Views are 224 pixels large on a GPU, and 64 for 'micro'
            and on a CPU.
        init (str | PathLike, optional): Checkpoint to start from, which says
            the size: of this package, also by name ('micro'), or a published
            ConvNeXt of timm or mmpretrain, whose stem is fitted to ``images``
            first, see :func:`~mcjepa_mm.apis.stem_fitting.fit_stem`.
        epochs (int, optional): Defaults to None: 8 of 100 steps for small
            views, else 100 of one pass over the images or frames.
        epoch_length (int, optional): Steps of an epoch.
        cfg_options (Sequence[str]): ``key=value`` settings over those of the
            config, as on the command line.
        device (str, optional): 'cpu', 'cuda', 'cuda:1' ... Defaults to None:
            a GPU if there is one.

    Returns:
        Pretraining: Where the results are.

    Raises:
        FileNotFoundError: If a folder is missing.
        MemoryError: If the model needs more memory than there is.
        ValueError: If no folder is given, or one holds nothing to train on;
            if another argument is not possible; or if ``out`` holds another
            training.

    Example::

        import mcjepa_mm

        run = mcjepa_mm.pretrain(images='photos', videos='films', out='run')
        run.checkpoint  # PosixPath('run/epoch_8.pth')
    """
    if images is None and videos is None:
        raise ValueError('Give images, videos or both: no folder was given.')
    _use(device)
    small = size == 'micro' or get_device() == 'cpu'
    if init is not None and size is not None:
        raise ValueError('init says the size: leave size out.')
    if size is None:
        size = 'micro' if small else 'tiny'
    if size not in SIZES:
        raise ValueError(
            f'size must be one of {", ".join(SIZES)}, got {size!r}.'
        )
    out = Path(out).expanduser().absolute()
    arguments: dict[str, Any] = dict(
        images=_folder('images', images),
        videos=_folder('videos', videos),
        size=size if init is None else None,
        init=_checkpoint(init),
        epochs=epochs,
        epoch_length=epoch_length,
        cfg_options=[*cfg_options],
    )
    path = out / CONFIG
    resumes = _is_begun(out, arguments)
    if resumes:
        print(f'{out} holds this training: it goes on.\n')
    elif not path.is_file() or read_arguments(path) != arguments:
        backbone = arguments['init'] and _start(
            arguments['init'], arguments['images'], out
        )
        write_pretraining(path, small=small, backbone=backbone, **arguments)
        print(f'The config is {path}.\n')
    for trains in (False, True):
        cfg = load_config(str(path))
        cfg.resume = resumes
        if not trains:
            print(check_training(cfg), flush=True)
            gc.collect()  # its model and data
    print('\nCtrl-C saves and stops; the same call goes on.\n', flush=True)
    runner = build_runner(cfg)
    runner.train()
    return _show(runner, path, arguments['images'], arguments['videos'])


def _use(device: str | None) -> None:
    if device is None:
        return
    found = get_device()
    numbers = range(torch.cuda.device_count() if found == 'cuda' else 0)
    known = [found, *(f'{found}:{number}' for number in numbers)]
    if device not in known:
        raise ValueError(
            f'device must be one of {", ".join(known)} here, got {device!r}. '
            'A GPU is left out by CUDA_VISIBLE_DEVICES= in the environment '
            'of Python.'
        )
    if ':' in device:
        torch.cuda.set_device(device)


def _folder(name: str, given: str | os.PathLike | None) -> str | None:
    """The folder's absolute path, if it has what it should."""
    if given is None:
        return None
    folder = os.path.abspath(os.path.expanduser(os.fspath(given)))
    shown = f'{name}={printable(os.fspath(given))!r}'
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'{shown} is no folder.')
    found = [bool(names) for _, names in walk(folder, True)]
    if name == 'images' and True not in found:
        raise ValueError(
            f'{shown} holds no images'
            + (': give its videos as videos.' if found else ', nor videos.')
        )
    if not found:
        raise ValueError(f'{shown} holds neither videos nor images.')
    return folder


def _checkpoint(init: str | os.PathLike | None) -> str | None:
    """The checkpoint's absolute path, or its name with mmengine's scheme."""
    if init is None:
        return None
    if name := full_name(init):
        return f'{SCHEME}{name}'
    return os.path.abspath(find_weights(os.path.expanduser(init)))


def _start(init: str, images: str | None, out: Path) -> dict[str, Any]:
    """Settings of an encoder that starts from a checkpoint.

    A published ConvNeXt is written anew below ``out``, with a fitted stem.
    """
    source = library_of_checkpoint(init)
    if source != 'mcjepa':
        if images is None:
            raise ValueError(
                f'init={init!r} is a ConvNeXt of {source}, whose stem is '
                'fitted to images: give images.'
            )
        converted = out / 'init' / 'encoder.pth'
        converted.parent.mkdir(parents=True, exist_ok=True)
        converted.unlink(missing_ok=True)  # of another call
        stem = convert_keys(
            init, converted, to='mcjepa', stem_images=images
        ).stem
        assert stem is not None
        print(
            f'A stem was fitted to {images}, relative error {stem.error:.3f}.'
        )
        init = str(converted)
    trained = read_backbone(init)
    start = dict(type='Pretrained', checkpoint=init, prefix=trained.prefix)
    return dict(trained.settings, init_cfg=start)


def _is_begun(out: Path, arguments: dict) -> bool:
    """Whether the folder holds a checkpoint of a call with these arguments.

    Raises:
        ValueError: If it holds one of another.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f'out={str(out)!r} is no folder.')
    if not any(out.glob('*.pth')):
        return False
    path = out / CONFIG
    before = read_arguments(path) if path.is_file() else {}
    if before == arguments:
        return True
    if not before:
        raise ValueError(
            f'{out} holds checkpoints, and no {CONFIG} that tells their '
            'training. Give another out.'
        )
    raise ValueError(
        f'{out} holds a training with '
        + ', '.join(
            f'{k}={before.get(k)!r} (now {v!r})'
            for k, v in arguments.items()
            if before.get(k) != v
        )
        + f'. Give another out; or go on with it, longer if wanted, by: mim '
        f'train mcjepa_mm {path} --resume --epochs N'
    )


def _show(
    runner: Runner, path: Path, images: str | None, videos: str | None
) -> Pretraining:
    """Print the last validation, the pictures and what can be done next."""
    out = path.parent
    last = (out / 'last_checkpoint').read_text().strip()
    checkpoint = out / Path(last).name
    metrics = validation_metrics(runner)
    pictures = training_pictures(out)[-1:]
    if images and not videos:
        pictures = draw_feature_maps(
            checkpoint, _readable(images), out / 'feature_maps', untrained=True
        )
    if metrics:
        print('\nThe last validation, on the embedded world:\n')
        print(metric_table({checkpoint.name: metrics}))
    print()
    for picture in pictures:
        print(f'picture: {picture}')
    print(f'checkpoint: {checkpoint}\n\nNext, such as:')
    for command, *words in _next_commands(path, checkpoint, images, videos):
        print(f'  mim {command} mcjepa_mm {shlex.join(map(str, words))}')
    return Pretraining(path, checkpoint, metrics, pictures)


def _readable(images: str, most: int = 4) -> list[str]:
    """The first images that are not damaged, which are no part of training."""
    found: list[str] = []
    for path in find_images(images, recursive=True):
        if len(found) == most:
            break
        try:
            read_image(path)
        except BadSampleError:
            continue
        found.append(path)
    return found


def _next_commands(
    path: Path, checkpoint: Path, images: str | None, videos: str | None
) -> Iterator[list]:
    out = path.parent
    yield ['run', 'evaluate', path, out]
    # the demos take files, and of packed folders there are none
    if videos and not is_packed(videos):
        clip, _ = next(walk(videos, True))
        yield [
            'run',
            'flow_demo',
            path,
            checkpoint,
            clip,
            '--out',
            out / 'flow',
        ]
    if images and not is_packed(images):
        folder = next(x for x, names in walk(images, True) if names)
        where = ['--out', out / 'feature_maps']
        yield ['run', 'feature_maps', checkpoint, folder, *where]
    yield ['run', 'swap_backbone', 'CONFIG', '--checkpoint', checkpoint]
    yield ['run', 'publish', checkpoint]
    yield ['train', path, '--resume', '--epochs', 'N']
