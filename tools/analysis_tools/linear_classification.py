"""Linear and kNN accuracy of frozen encoders, trained and untrained.

Runs the two probes of configs/classification for the embedded world on each
checkpoint and on as many untrained encoders of the same architecture, and
prints a table.
"""

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

LINEAR = 'mcjepa_convnext-micro_1xb64-linear-coslr-10e_embedded.py'
KNN = 'mcjepa_convnext-micro_knn_embedded.py'


def find_encoders(paths: list[str], untrained: int, folder: Path):
    """Settings that all encoders share, and name and file of each."""
    import torch

    from mcjepa_mm.models.backbones import read_backbone
    from mcjepa_mm.registry import MODELS

    files, settings = [], None
    for path in paths:
        trained = read_backbone(path)
        settings = settings or trained.settings
        if trained.settings != settings:
            raise ValueError(
                f'{path} holds an encoder of {trained.settings}, '
                f'{paths[0]} one of {settings}; compare one architecture'
            )
        files.append((path, _save(trained.state_dict, folder, len(files))))
    for seed in range(untrained):
        torch.manual_seed(seed)
        encoder = MODELS.build(
            dict(type='mcjepa_mm.MCJEPAConvNeXt', **settings)
        )
        encoder.init_weights()
        file = _save(encoder.state_dict(), folder, len(files))
        files.append((f'untrained, seed {seed}', file))
    return settings, files


def _save(state_dict: dict, folder: Path, number: int) -> str:
    import torch

    file = folder / f'encoder_{number}.pth'
    keys = {f'backbone.{key}': value for key, value in state_dict.items()}
    torch.save(dict(state_dict=keys), file)
    return str(file)


def probe(name: str, settings: dict, file: str, args, folder: Path) -> float:
    """Top-1 accuracy in percent of one config on one encoder."""
    import mcjepa_mm
    from mcjepa_mm.engine.launch import build_runner, load_config
    from mcjepa_mm.registry import MODELS

    configs = Path(mcjepa_mm.__file__).parent / '.mim' / 'configs'
    work_dir = folder / f'{Path(name).stem}_{Path(file).stem}'
    cfg = load_config(
        str(configs / 'classification' / name), work_dir=str(work_dir)
    )
    model = cfg.model
    for key, value in settings.items():
        model.backbone[key] = value
    model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=file, prefix='backbone.'
    )
    if name == LINEAR:
        channels = MODELS.build(model.backbone).out_channels[-1]
        model.head.in_channels = channels
        model.neck[1].input_features = channels
    loaders = [cfg.get('train_dataloader'), cfg.test_dataloader]
    loaders += [cfg.get('val_dataloader')]
    loaders += [hook.dataloader for hook in cfg.get('custom_hooks') or []]
    for loader in loaders:
        if loader is not None:
            loader.dataset.data_root = args.data
    cfg.experiment_name = work_dir.name
    cfg.log_level = 'WARNING'
    runner = build_runner(cfg)
    if name == KNN:
        runner.model.init_weights()
        return float(runner.test()['accuracy/top1'])
    runner.train()
    return float(runner.message_hub.get_scalar('val/accuracy/top1').current())


def main() -> None:
    """Probe, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoints', nargs='+', help='checkpoints of pretrainings'
    )
    parser.add_argument(
        '--data',
        default='data/embedded_imagenet',
        help='export of the embedded world in the layout imagenet '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--untrained',
        type=int,
        help='how many untrained encoders (default: as many as checkpoints)',
    )
    args = parser.parse_args()
    if not (Path(args.data) / 'train').is_dir():
        raise SystemExit(
            f'{args.data} holds no train/; write it first: mim run mcjepa_mm '
            f'export_embedded_world imagenet {args.data} --num-scenes 2000 '
            '--size 96 96'
        )
    cli.prefer_checkout()
    import numpy as np
    from tabulate import tabulate

    untrained = args.untrained
    untrained = len(args.checkpoints) if untrained is None else untrained
    # The table alone goes to the standard output, not what the runs print.
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(sys.stderr),
    ):
        folder = Path(folder)
        settings, files = find_encoders(args.checkpoints, untrained, folder)
        rows = [
            (
                encoder,
                *(
                    f'{probe(config, settings, file, args, folder):.1f}'
                    for config in (LINEAR, KNN)
                ),
            )
            for encoder, file in files
        ]
    for name, part in (
        ('trained', rows[: len(args.checkpoints)]),
        ('untrained', rows[len(args.checkpoints) :]),
    ):
        if len(part) > 1:
            figures = np.array([row[1:] for row in part], float)
            means, spreads = figures.mean(0), figures.std(0, ddof=1)
            rows.append(
                (
                    f'**{name}, mean ± std of {len(part)}**',
                    *(f'{m:.1f} ± {s:.1f}' for m, s in zip(means, spreads)),
                )
            )
    head = ['encoder', 'linear top-1 (%)', 'kNN top-1 (%)']
    print(tabulate(rows, head, tablefmt='github', disable_numparse=True))


if __name__ == '__main__':
    cli.run(main)
