import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.runner import Runner
from mmengine.utils.dl_utils import collect_env
from torch import nn

from mcjepa_mm.models.base_model import ModeModel
from mcjepa_mm.utils.dist import cpu_group, require_agreement
from mcjepa_mm.utils.provenance import package_versions, provenance
from mcjepa_mm.version import __version__

from .process_group import dist_timeout


class ShortLogRunner(Runner):
    """mmengine's runner without its long preamble in the log.

    The config, the environment and the order of the hooks take hundreds of
    lines there. Here they are in files, which the log names: the config in
    the work dir, where mmengine writes it in any case, ``environment.json``
    and ``hooks.txt`` beside the log.
    """

    def setup_env(self, env_cfg: dict) -> None:
        """Join the processes; all of them must have one set-up.

        Raises:
            ValueError: On every process, if one has another config, another
                version, or another number of processes beside it.
        """
        super().setup_env(env_cfg)
        number = os.environ.get('LOCAL_WORLD_SIZE', 'not set')
        settings = self.cfg.to_dict()
        # process 0 saves; where the others write their logs is theirs
        for name in ('work_dir', 'experiment_name'):
            settings.pop(name, None)
        require_agreement(
            {
                'number of processes on the machine': number,
                'mcjepa_mm': __version__,
                'torch': torch.__version__,
                **flat_settings(settings),
            },
            'Give every machine the same command, config and versions.',
            cpu_group(dist_timeout(self.cfg)),
        )

    def _log_env(self, env_cfg: dict) -> None:
        record = dict(
            command=shlex.join(sys.orig_argv),
            seed=self._seed,
            processes=self._world_size,
            device=get_device(),
            **provenance(),
            packages=package_versions(),
            system=collect_env(),
            settings=dict(
                **env_cfg, **self._randomness_cfg, launcher=self._launcher
            ),
        )
        text = json.dumps(record, indent=2, default=str)
        path = self._write('environment.json', text)
        self.logger.info(
            f'mcjepa_mm {__version__}, Python {sys.version.split()[0]}, torch '
            f'{torch.__version__}, {self._world_size} x {get_device()}, seed '
            f'{self._seed}; more in {path}'
        )
        name = Path(self.cfg.filename or f'{self.timestamp}.py').name
        self.logger.info(f'Config: {Path(self.work_dir, name)}')

    def dump_config(self) -> None:
        """Write the config, beside the log if its own file would be lost."""
        source = Path(self.cfg.filename or f'{self.timestamp}.py')
        target = Path(self.work_dir, source.name)
        if target.resolve() == source.resolve():
            self._write(source.name, self.cfg.pretty_text)
        else:
            super().dump_config()

    def wrap_model(
        self, model_wrapper_cfg: dict | None, model: nn.Module
    ) -> nn.Module:
        """Wrap the model for DDP, a ``ModeModel`` by its own wrapper."""
        if not self.distributed or not isinstance(model, ModeModel):
            return super().wrap_model(model_wrapper_cfg, model)
        wrapper = dict(
            model_wrapper_cfg
            or dict(
                broadcast_buffers=False,
                find_unused_parameters=self.cfg.get(
                    'find_unused_parameters', False
                ),
            )
        )
        if wrapper.get('type') in (None, 'MMDistributedDataParallel'):
            wrapper['type'] = 'mcjepa_mm.GuardedDataParallel'
        return super().wrap_model(wrapper, model)

    def get_hooks_info(self) -> str:
        """Return the hooks' names; write the order of calls to a file.

        Returns:
            str: In the order of their priority.
        """
        path = self._write('hooks.txt', super().get_hooks_info())
        names = ', '.join(type(hook).__name__ for hook in self.hooks)
        return f'{names}; their order of calls is in {path}'

    def _write(self, name: str, content: str) -> Path:
        path = Path(self._log_dir, name)
        if self.rank == 0:
            path.write_text(f'{content}\n', encoding='utf-8')
        return path


def flat_settings(settings: Any, name: str = '') -> dict[str, str]:
    """Settings of a config in one level, as text.

    Args:
        settings (dict | list | Any): Of what an object is, only its class is
            told.
        name (str): Of these settings. Defaults to '': all.

    Returns:
        dict[str, str]: Values by names such as ``'model.backbone.arch'``.
    """
    if isinstance(settings, list | tuple):
        settings = dict(enumerate(settings))
    if isinstance(settings, dict):
        flat: dict[str, str] = {}
        for key, value in settings.items():
            flat |= flat_settings(value, f'{name}.{key}' if name else f'{key}')
        return flat
    plain = settings is None or isinstance(settings, str | int | float)
    return {name: repr(settings) if plain else type(settings).__name__}
