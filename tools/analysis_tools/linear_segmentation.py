"""Compare pretrained with random encoders by frozen linear segmentation.

Trains the probe of linear_mcjepa-convnext-micro_1xb8-400_embedded-voc.py on
each checkpoint, frozen, and on an encoder of the same architecture that is
frozen as it was initialised, and prints a table of their mIoU on held-out
scenes of the embedded world. The number of a checkpoint on the command line,
from 0, is the seed of its probe and of the random encoder beside it.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli
from _records import markdown

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/segmentation'
    / 'linear_mcjepa-convnext-micro_1xb8-400_embedded-voc.py'
)
ROOT = Path('VOCdevkit', 'VOC2012')  # of the data, in the export


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = cli.make_table_parser(
        __doc__,
        name='linear_segmentation',
        data='data/embedded_voc',
        layout='voc2012_aug',
        num_scenes=200,
    )
    args = parser.parse_args()
    cli.refuse_missing(parser, 'checkpoint', *args.checkpoints)
    return args


def fitting_config(checkpoint: str, data: Path, options: list | None):
    """The probe's config for a checkpoint's architecture."""
    from mcjepa_mm.engine.launch import load_config
    from mcjepa_mm.models.backbones import MCJEPAConvNeXt, read_backbone

    trained = read_backbone(checkpoint)
    cfg = load_config(str(CONFIG), cfg_options=options)
    backbone = cfg.model.backbone
    backbone.update(trained.settings)
    backbone.init_cfg.update(checkpoint=checkpoint, prefix=trained.prefix)
    settings = {
        key: value
        for key, value in backbone.items()
        if key not in ('type', 'init_cfg')
    }
    channels = MCJEPAConvNeXt(**settings).out_channels
    cfg.model.neck.in_channels = channels
    head = cfg.model.decode_head
    head.in_channels = head.channels = sum(channels)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(data / ROOT)
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.log_level = 'WARNING'
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    return cfg


def probe(cfg, name: str, seed: int) -> float:
    """Train the probe and return its mIoU in per cent."""
    from mcjepa_mm.engine.launch import build_runner

    cfg.randomness = dict(seed=seed)
    with tempfile.TemporaryDirectory() as work_dir:
        cfg.work_dir = work_dir
        # two runs of one name in one second would share a visualizer
        cfg.experiment_name = Path(work_dir).name
        runner = build_runner(cfg)
        runner.train()
    score = runner.message_hub.get_scalar('val/mIoU').current()
    print(f'{name} {seed}: mIoU {score:.2f}', flush=True)
    return float(score)


def background_alone(data: Path, num_classes: int) -> float:
    """Score in per cent of who says background everywhere."""
    import numpy as np
    from PIL import Image

    folder = data / ROOT
    names = (folder / 'ImageSets/Segmentation/val.txt').read_text().split()
    counts = np.zeros(256, int)
    for name in names:
        with Image.open(folder / 'SegmentationClass' / f'{name}.png') as image:
            counts += np.bincount(np.array(image).ravel(), minlength=256)
    present = np.count_nonzero(counts[:num_classes])
    return 100 * counts[0] / counts[:num_classes].sum() / present


def table(scores: dict[str, list[float]]) -> str:
    """Scores per seed, mean and range, as Markdown."""
    seeds = range(max(map(len, scores.values())))
    head = ['encoder, frozen', *(f'seed {s}' for s in seeds), 'mean', 'range']
    rows = []
    for name, found in scores.items():
        numbers = *found, statistics.mean(found), max(found) - min(found)
        rows.append([name, *(f'{number:.2f}' for number in numbers)])
    return markdown(head, rows) + '\n'


def main() -> None:
    """Export what is missing, train the probes, print and write the table."""
    args = parse_args()
    cli.prefer_checkout()
    from mcjepa_mm.datasets.embedded_world.export import export
    from mcjepa_mm.utils.atomic_write import atomic_write

    out, data = Path(args.out), Path(args.data)
    configs = [
        fitting_config(path, data, args.cfg_options)
        for path in args.checkpoints
    ]
    out.parent.mkdir(parents=True, exist_ok=True)
    if not data.exists():
        export('voc2012_aug', data, num_scenes=args.num_scenes)
    constant = background_alone(data, configs[0].model.decode_head.num_classes)
    scores = {'pretrained': [], 'random': []}
    for seed, cfg in enumerate(configs):
        scores['pretrained'].append(probe(cfg, 'pretrained', seed))
        cfg.model.backbone.init_cfg = None
        scores['random'].append(probe(cfg, 'random', seed))
    scores['none: background everywhere'] = [constant] * len(configs)
    text = table(scores)
    atomic_write(out, text.encode())
    print(f'\nmIoU in per cent\n\n{text}')


if __name__ == '__main__':
    cli.run(main)
