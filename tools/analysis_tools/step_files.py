"""Print which files of the package run in one training step.

From the loading of a batch, without workers, to the hooks after the step of
the optimiser: the second step of a job, so that what only a first one does is
left out. `mim run mcjepa_mm step_files [CONFIG]`.
"""

import os
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli


class _EndError(Exception):
    """The step has been made."""


def step_files(config: str) -> list[str]:
    """The files in the order in which a step comes to them.

    Args:
        config (str): The training's config.
    """
    from mmengine.hooks import Hook

    import mcjepa_mm
    from mcjepa_mm.engine.launch import build_runner, load_config

    package = os.path.dirname(mcjepa_mm.__file__)
    files = {}

    def note(frame, event, _) -> None:
        path = frame.f_code.co_filename
        if event == 'call' and path.startswith(package):
            files[os.path.relpath(path, package)] = None

    class Watch(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, *_, **__) -> None:
            if runner.iter == 0:
                # the backward pass has threads of its own
                sys.setprofile(note)
                threading.setprofile(note)
            else:
                sys.setprofile(None)
                raise _EndError

    with tempfile.TemporaryDirectory() as folder:
        cfg = load_config(config, work_dir=folder)
        cfg.log_level = 'ERROR'
        cfg.visualizer = None
        _without_workers(cfg._cfg_dict)
        runner = build_runner(cfg)
        runner.register_hook(Watch())
        with suppress(_EndError):
            runner.train()
        runner.logger.handlers.clear()
    return list(files)


def _without_workers(part) -> None:
    if isinstance(part, dict):
        if 'num_workers' in part:
            part['num_workers'] = 0
        part = part.values()
    if not isinstance(part, str):
        for each in part if hasattr(part, '__iter__') else ():
            _without_workers(each)


def main() -> None:
    """Make a step and print."""
    parser = cli.OneLineParser(description=__doc__.splitlines()[0])
    default = str(cli.ROOT / 'configs' / 'mcjepa_convnext.py')
    parser.add_argument('config', nargs='?', default=default)
    args = parser.parse_args()
    cli.prefer_checkout()
    found = step_files(args.config)
    print(*found, f'{len(found)} files', sep='\n')


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
