"""Train a segmentor with few and with all labels, from several encoders.

Puts each encoder into fcn_r18_1xb8-300_camvid-192x256.py, as swap_backbone
does, trains all of it on CamVid with a share of the training labels, and
appends a line of JSON with the mIoU on val.txt to FILE.

ENCODER is ARM=CHECKPOINT, a name for the table and a checkpoint of a
pretraining; ARM=none starts from random weights of the architecture that the
first checkpoint has.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/segmentation'
    / 'fcn_r18_1xb8-300_camvid-192x256.py'
)


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('encoders', nargs='+', metavar='ENCODER')
    parser.add_argument('--data', default='data/camvid', metavar='DIR')
    parser.add_argument(
        '--labels',
        nargs='+',
        type=float,
        default=[10, 100],
        metavar='PERCENT',
        help='shares of the training pictures; default: 10 100',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='of the head, the order and the choice of pictures; of the '
        'encoder too where it is none; default: %(default)s',
    )
    parser.add_argument(
        '--iters', type=int, default=300, help='default: %(default)s'
    )
    parser.add_argument(
        '--out',
        default='work_dirs/label_efficiency.jsonl',
        metavar='FILE',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help='settings over those of the config',
    )
    args = parser.parse_args()
    if not all(0 < share <= 100 for share in args.labels):
        parser.error(f'labels are 0 to 100 per cent, got {args.labels}')
    pairs = [encoder.partition('=')[::2] for encoder in args.encoders]
    for encoder, (arm, path) in zip(args.encoders, pairs):
        if not arm or not path:
            parser.error(f'expected ARM=CHECKPOINT or ARM=none, got {encoder}')
        if path != 'none':
            cli.refuse_missing(parser, 'checkpoint', path)
    args.encoders = [(a, None if p == 'none' else p) for a, p in pairs]
    cli.refuse_missing(
        parser, 'data', args.data, str(Path(args.data, 'train.txt'))
    )
    return args


def choose(names: list[str], percent: float, seed: int) -> list[str]:
    """A share of the pictures, evenly out of the films, other by seed."""
    count = max(1, round(len(names) * percent / 100))
    places = [k * len(names) // count for k in range(count)]
    shift = seed * 7919  # a prime: seeds differ by more than their order
    return [names[(place + shift) % len(names)] for place in places]


def settings_of(paths: list[str | None]) -> dict:
    """Of the first checkpoint's encoder, of the default job's without one."""
    from mmengine.config import Config

    from mcjepa_mm.apis.model_files import find_config
    from mcjepa_mm.models.backbones import read_backbone

    for path in filter(None, paths):
        return read_backbone(path).settings
    return Config.fromfile(find_config('mcjepa_convnext.py')).model.backbone


def save_untrained(settings: dict, seed: int, path: Path) -> str:
    """Write random weights as a checkpoint, so that all arms go one way."""
    import torch

    from mcjepa_mm.evaluation.frozen import FrozenEncoder

    encoder = FrozenEncoder.untrained(settings, seed).backbone
    weights = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    torch.save(dict(state_dict=weights), path)
    return str(path)


def train(config: Path, names: list[str], args, work_dir: Path) -> float:
    """Train the swapped config on some pictures; mIoU in per cent."""
    from mcjepa_mm.engine.launch import build_runner, load_config

    data = str(Path(args.data).resolve())
    listed = work_dir / 'names.txt'
    listed.write_text('\n'.join(names))
    cfg = load_config(str(config), cfg_options=args.cfg_options)
    cfg.work_dir = str(work_dir)
    cfg.train_dataloader.dataset.update(data_root=data, ann_file=str(listed))
    cfg.val_dataloader.dataset.data_root = data
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.train_cfg.update(max_iters=args.iters, val_interval=args.iters)
    cfg.param_scheduler[0].end = cfg.param_scheduler[1].begin = min(
        20, args.iters // 2
    )
    cfg.param_scheduler[1].end = args.iters
    cfg.default_hooks.checkpoint = None
    cfg.randomness = dict(seed=args.seed)
    cfg.experiment_name = work_dir.name
    cfg.log_level = 'WARNING'
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    runner = build_runner(cfg)
    runner.train()
    return float(runner.message_hub.get_scalar('val/mIoU').current())


def main() -> None:
    """Swap, train, append, print."""
    args = parse_args()
    cli.prefer_checkout()
    from _records import append_records

    import mcjepa_mm  # noqa: F401  (patches imports)
    from mcjepa_mm.swap import swap_backbone
    from mcjepa_mm.utils.provenance import provenance

    names = Path(args.data, 'train.txt').read_text().split()
    settings = settings_of([path for _, path in args.encoders])
    print('| encoder | labels (%) | seed | mIoU |')
    print('| --- | --- | --- | --- |', flush=True)
    for number, (arm, path) in enumerate(args.encoders):
        for percent in args.labels:
            with tempfile.TemporaryDirectory() as folder:
                config = Path(folder, 'swapped.py')
                swap_backbone(
                    CONFIG,
                    checkpoint=path
                    or save_untrained(
                        settings, args.seed, Path(folder, 'random.pth')
                    ),
                    out=config,
                )
                work_dir = Path(folder, f'labels-{number}-{percent:g}')
                work_dir.mkdir()
                chosen = choose(names, percent, args.seed)
                score = train(config, chosen, args, work_dir)
            record = dict(
                arm=arm,
                seed=args.seed,
                labels=percent,
                pictures=len(chosen),
                iters=args.iters,
                miou=score,
                checkpoint=path,
            )
            append_records(args.out, [dict(record, **provenance())])
            print(
                f'| {arm} | {percent:g} | {args.seed} | {score:.2f} |',
                flush=True,
            )


if __name__ == '__main__':
    cli.run(main)
