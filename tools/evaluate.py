"""Compare a pretrained model with its untrained self, in figures and pictures.

Runs the config's test loop twice, with freshly initialised weights and with a
checkpoint's, prints a table, and writes ``metrics.json`` and a picture of
each.
"""

import argparse
import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from _command_line import find_config, is_name, prefer_checkout, run

TRAINING_KEYS = (
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'val_dataloader',
    'val_cfg',
    'val_evaluator',
    'custom_hooks',
    'load_from',
    'resume',
)
NUM_SAMPLES = 4


def find_checkpoint(path: Path) -> Path:
    """Return a checkpoint file, the last one if ``path`` is a folder."""
    if path.is_dir():
        pointer = path / 'last_checkpoint'
        if not pointer.is_file():
            raise SystemExit(
                f'{path} holds no last_checkpoint file; name '
                'the checkpoint itself, or the work dir of a '
                'training that has saved one'
            )
        # by name: the folder may have been moved since
        path = path / Path(pointer.read_text().strip()).name
    if not path.is_file():
        raise SystemExit(f'checkpoint {path} does not exist')
    return path


def make_runner(config: str, options: list[str] | None, out: Path):
    """Build a runner that can test and nothing else."""
    from mcjepa_mm.engine.launch import build_runner, load_config

    cfg = load_config(config, work_dir=str(out), cfg_options=options)
    if cfg.get('test_dataloader') is None:
        raise SystemExit(
            f'{config} has nothing to evaluate: it sets no test_dataloader, '
            'test_cfg and test_evaluator'
        )
    # Neither data nor hooks of the training: a missing training folder must
    # not stop an evaluation.
    for key in TRAINING_KEYS:
        cfg.pop(key, None)
    seed = (cfg.get('randomness') or {}).get('seed')
    cfg.randomness = dict(seed=0 if seed is None else seed)
    return build_runner(cfg)


def load_trained(runner, checkpoint: Path) -> None:
    """Load the checkpoint, and say what it leaves untrained.

    The runner itself refuses a checkpoint that has no key of the model.
    """
    from mcjepa_mm.utils.checkpoint import compare_state_dict

    content = runner.load_checkpoint(str(checkpoint))
    wanted = runner.model.state_dict()
    given = content.get('state_dict', content)
    unfit = compare_state_dict(given, wanted).unfilled
    if len(unfit) == len(wanted):
        raise SystemExit(
            f'{checkpoint} has the keys of the model, but no tensor of its '
            'shape; is it the checkpoint of another size of the model?'
        )
    if unfit:
        print(
            f'WARNING: {len(unfit)} of {len(wanted)} tensors of the model are '
            f'not in {checkpoint} and stay untrained: {unfit[:3]} ...'
        )


def evaluate(runner, name: str, out: Path) -> dict[str, Any]:
    """Test the model as it is; draw it where there are frame pairs."""
    from mmengine.runner import set_random_seed

    from mcjepa_mm.utils.image_file import write_image
    from mcjepa_mm.visualization import draw_pretraining_sheet

    # the same random views for both models, should the pipeline draw any
    set_random_seed(runner.seed)
    metrics = runner.test()
    result = dict(metrics={k: float(v) for k, v in metrics.items()})
    loaders = getattr(runner.test_loop.dataloader, 'loaders', {})
    if 'motion' in loaders:
        dataset = loaders['motion'].dataset
        number = min(NUM_SAMPLES, len(dataset))
        sheet = draw_pretraining_sheet(
            runner.model,
            [dataset[i] for i in range(number)],
            heading=f'{runner.experiment_name}, {name}',
        )
        path = out / f'sheet_{name}.png'
        write_image(path, sheet)
        result['picture'] = str(path)
    return result


def main() -> None:
    """Evaluate before and after, and say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config', help='config file of the pretraining, or its name'
    )
    parser.add_argument(
        'checkpoint',
        help='checkpoint, or the work dir to take the last of, or the name of '
        "weights of this package, 'micro'",
    )
    parser.add_argument(
        '--out',
        help='folder to write (default: evaluation/ beside the checkpoint, '
        'for weights by their name in the current folder)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        metavar='KEY=VALUE',
        help='changes to the config, such as test_dataloader.motion.'
        'batch_size=4',
    )
    args = parser.parse_args()
    args.config = find_config(args.config)
    if not Path(args.config).is_file():
        raise SystemExit(
            f'config {args.config} does not exist; the training wrote a copy '
            'of its own into the work dir'
        )
    prefer_checkout()
    import mcjepa_mm  # noqa: F401  (patches imports)
    from mcjepa_mm.apis.training_results import (
        metric_table,
        training_pictures,
    )
    from mcjepa_mm.utils.atomic_write import atomic_write
    from mcjepa_mm.utils.named_weights import find_weights

    checkpoint = Path(args.checkpoint)
    default = Path('evaluation')
    if is_name(args.checkpoint) and not checkpoint.exists():
        checkpoint = find_weights(args.checkpoint)
    else:
        checkpoint = find_checkpoint(checkpoint)
        default = checkpoint.parent / default
    out = Path(args.out or default)

    runner = make_runner(args.config, args.cfg_options, out)
    runner.model.init_weights()
    untrained = deepcopy(runner.model.state_dict())
    # Before anything is evaluated: a wrong checkpoint must not cost the time.
    load_trained(runner, checkpoint)
    trained = evaluate(runner, 'trained', out)
    runner.model.load_state_dict(untrained)
    results = dict(
        untrained=evaluate(runner, 'untrained', out), trained=trained
    )

    report = dict(
        config=args.config,
        checkpoint=str(checkpoint),
        seed=runner.seed,
        **results,
    )
    atomic_write(out / 'metrics.json', json.dumps(report, indent=2).encode())
    columns = {name: x['metrics'] for name, x in results.items()}
    print(f'\n{metric_table(columns)}\n')
    print(f'figures: {out / "metrics.json"}')
    pictures = [x['picture'] for x in results.values() if 'picture' in x]
    for path in [*training_pictures(checkpoint.parent), *pictures]:
        print(f'picture: {path}')


if __name__ == '__main__':
    run(main)
