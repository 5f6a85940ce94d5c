"""The config of a pretraining on somebody's folders, as a short file."""

import re
from ast import literal_eval
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import get_installed_path, is_installed

import mcjepa_mm
from mcjepa_mm.engine.inherited_scope import read_config
from mcjepa_mm.engine.job_length import set_job_length
from mcjepa_mm.engine.launch import load_config
from mcjepa_mm.models.backbones.convnext import ARCHS
from mcjepa_mm.utils.config_text import format_config

SIZES = ('micro', *ARCHS)
_CONFIGS = Path(mcjepa_mm.__file__).parent / '.mim' / 'configs'
# By whether there are images and videos: of 64 pixels, for two CPU cores, and
# of 224 pixels, for a GPU.
_SMALL = {
    (True, True): 'mcjepa_convnext-micro_1xb32_own-data',
    (False, True): 'mcjepa_convnext-micro_1xb32_own-videos',
    (True, False): 'vicreg_convnext-micro_1xb32_own-data',
}
_LARGE = {
    (True, True): 'mcjepa_convnext-tiny_1xb32-coslr-100e_own-data',
    (False, True): 'mcjepa_convnext-tiny_1xb32-coslr-100e_own-videos',
    (True, False): 'vicreg_convnext-tiny_1xb32-coslr-100e_own-data',
}
_HEADING = """\
# Written by mcjepa_mm.pretrain for
{arguments}
# and may be changed. mim train mcjepa_mm takes it.
"""


def write_pretraining(
    path: Path,
    *,
    images: str | None,
    videos: str | None,
    size: str | None,
    init: str | None = None,
    epochs: int | None = None,
    epoch_length: int | None = None,
    cfg_options: Sequence[str] = (),
    small: bool,
    backbone: Mapping[str, Any] | None = None,
) -> None:
    """Write a config that inherits one of this package for own data.

    Args:
        path (Path): The file. The run writes into its folder, which is made
            if needed.
        images (str, optional): Folder of images.
        videos (str, optional): Folder of videos; one of both has to be given.
        size (str, optional): One of ``SIZES``, for the heading.
        init (str, optional): Checkpoint to start from, for the heading.
        epochs (int, optional): By default the inherited config's.
        epoch_length (int, optional): Steps of an epoch, likewise.
        cfg_options (Sequence[str]): ``key=value`` settings over the rest.
        small (bool): Whether views are small enough for a CPU.
        backbone (Mapping, optional): Settings of the encoder, in place of a
            size.

    Raises:
        ValueError: If a number is below 1, or an option sets what no runner
            reads.
    """
    names = _SMALL if small else _LARGE
    name = f'pretrain/{names[bool(images), bool(videos)]}.py'
    base = read_config(_CONFIGS / name)
    cfg = load_config(str(_CONFIGS / name), cfg_options=[*cfg_options])
    if backbone:
        cfg.model.backbone.update(backbone)
    elif size != ('micro' if small else 'tiny'):
        cfg.model.backbone.arch = size
    data = cfg.train_dataloader
    _set_root(data.content, images or videos)
    _set_root([data.get('motion'), cfg.custom_hooks], videos)
    cfg.default_hooks.logger.interval = 10
    set_job_length(cfg, epochs=epochs, epoch_length=epoch_length)
    cfg.work_dir = str(path.parent)
    lines = [f'_base_ = {_inherited(name)!r}']
    for key in cfg:
        if key not in base:
            lines += [f'{key} = {_plain(cfg[key])!r}'] * (key != 'launcher')
            continue
        changes = [*_changes(key, base[key], cfg[key])]
        if changes and changes[0].startswith(f'{key} = '):
            lines += changes
        elif changes:
            lines += [f'{key} = _base_.{key}', *changes]
    arguments = dict(
        images=images,
        videos=videos,
        size=size,
        init=init,
        epochs=epochs,
        epoch_length=epoch_length,
        cfg_options=[*cfg_options],
    )
    heading = _HEADING.format(
        arguments='\n'.join(f'#   {k} = {v!r}' for k, v in arguments.items())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(heading + format_config('\n'.join(lines)), 'utf-8')


def read_arguments(path: Path) -> dict[str, Any]:
    """What a config was written for, empty if not by this package."""
    heading = path.read_text('utf-8').partition('\n_base_')[0]
    rows = re.findall(r'^#   (\w+) = (.*)$', heading, re.MULTILINE)
    return {name: literal_eval(value) for name, value in rows}


def _inherited(name: str) -> str:
    """How a config names one of this package's: where it is that, briefly."""
    if is_installed('mcjepa_mm'):
        found = Path(get_installed_path('mcjepa_mm'), '.mim', 'configs', name)
        if found.is_file() and found.samefile(_CONFIGS / name):
            return f'mcjepa_mm::{name}'
    return str(_CONFIGS / name)


def _set_root(part: Any, root: str | None) -> None:
    """Set the folder of every data set of real files, in place."""
    if isinstance(part, dict):
        if 'data_root' in part:
            part['data_root'] = root
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inside in part:
            _set_root(inside, root)


def _changes(name: str, old: Any, new: Any) -> Iterator[str]:
    """Assignments that make the old value of a name the new one."""
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        pairs = [(f'{name}[{k!r}]', old.get(k), v) for k, v in new.items()]
        if all(str(k).isidentifier() for k in new):
            pairs = [(f'{name}.{k}', old.get(k), v) for k, v in new.items()]
    elif isinstance(new, list) and isinstance(old, list):
        if len(new) != len(old):
            yield f'{name} = {_plain(new)!r}'
            return
        pairs = [
            (f'{name}[{i}]', *both) for i, both in enumerate(zip(old, new))
        ]
    else:
        if old != new:
            yield f'{name} = {_plain(new)!r}'
        return
    for pair in pairs:
        yield from _changes(*pair)


def _plain(value: Any) -> Any:
    """A setting without mmengine's own kind of dict."""
    return Config(dict(value=value)).to_dict()['value']
