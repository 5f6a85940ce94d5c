"""Measure how well features follow objects in clips of the embedded world.

Tests label-propagation_mcjepa-convnext-micro_embedded-davis.py with the
encoders of checkpoints and prints a table of J&F, J and F. Beside them stand
random encoders of the same architecture, the colours of the frames, masks that
stay where the first one is, and perfect features: one-hot vectors of the true
objects, once at the config's cells and once at a cell for each pixel. What
these miss is the protocol's own loss: masks are made of cells.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _command_line import (  # noqa: E402
    make_table_parser,
    prefer_checkout,
    refuse_missing,
)

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/vos'
    / 'label-propagation_mcjepa-convnext-micro_embedded-davis.py'
)
FIGURES = ('JF_mean', 'J_mean', 'F_mean')


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = make_table_parser(
        __doc__,
        name='label_propagation',
        data='data/embedded_davis',
        layout='davis2017',
        num_scenes=10,
    )
    parser.add_argument(
        '--num-frames',
        type=int,
        default=12,
        help='frames of a clip, likewise; default: %(default)s',
    )
    parser.add_argument(
        '--seeds',
        type=int,
        default=3,
        metavar='N',
        help='random encoders of each architecture; default: %(default)s',
    )
    args = parser.parse_args()
    refuse_missing(parser, 'checkpoint', *args.checkpoints)
    return args


def base_config(data: Path, options: list | None):
    """The test's config, without what is written."""
    from mcjepa_mm.engine.launch import load_config

    cfg = load_config(str(CONFIG), cfg_options=options)
    cfg.test_dataloader.dataset.data_root = str(data / 'DAVIS')
    cfg.test_evaluator = dict(type='DAVISMetric', table=False)
    # every row says what its weights are
    cfg.log_level = 'ERROR'
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    return cfg


def configs(args: argparse.Namespace) -> dict:
    """The config of each row of the table, by its name."""
    from mcjepa_mm.models.backbones import read_backbone

    def base():
        return base_config(Path(args.data), args.cfg_options)

    rows, archs = {}, []
    for path in args.checkpoints:
        trained = read_backbone(path)
        cfg = rows[path] = base()
        cfg.model.backbone.update(trained.settings)
        cfg.model.backbone.init_cfg = dict(
            type='Pretrained', checkpoint=path, prefix=trained.prefix
        )
        if trained.settings not in archs:
            archs.append(trained.settings)
    for number, settings in enumerate(archs):
        for seed in range(args.seeds):
            name = f'random, seed {seed}' + f', arch {number}' * bool(number)
            cfg = rows[name] = base()
            cfg.model.backbone.update(settings)
            cfg.randomness = dict(seed=seed)
    cfg = rows['colours of the cells'] = base()
    cfg.model.backbone = dict(type='MeanColor', stride=cfg.model.stride)
    rows['the first mask'] = base()
    rows['the first mask'].model.type = 'FirstMask'
    rows['perfect features'] = base()
    rows['perfect features'].model.type = 'PerfectPropagation'
    cfg = rows['perfect features, a cell each pixel'] = base()
    cfg.model.type = 'PerfectPropagation'
    resize = cfg.test_dataloader.dataset.pipeline[2]
    resize.short_side = first_side(Path(args.data)) * cfg.model.stride
    return rows


def first_side(data: Path) -> int:
    """Shorter side of the frames in pixels."""
    from mcjepa_mm.datasets.transforms.image_loading import read_image

    frames = (data / 'DAVIS' / 'JPEGImages' / '480p').glob('*/00000.jpg')
    return min(read_image(str(next(frames))).shape[:2])


def measure(cfg, number: int) -> list[float]:
    """J&F, J and F in per cent."""
    from mcjepa_mm.engine.launch import build_runner, initialize_model

    cfg.experiment_name = f'label_propagation-{number}'
    with tempfile.TemporaryDirectory() as work_dir:
        cfg.work_dir = work_dir
        runner = build_runner(cfg)
        initialize_model(runner)
        scores = runner.test()
    return [scores[name] for name in FIGURES]


def main() -> None:
    """Export what is missing, measure, print and write the table."""
    args = parse_args()
    prefer_checkout()
    import _propagation_references  # noqa: F401  (registers them)

    from mcjepa_mm.datasets.embedded_world.export import export
    from mcjepa_mm.whole_file import write_whole

    out, data = Path(args.out), Path(args.data)
    try:
        if not data.exists():
            export(
                'davis2017',
                data,
                num_scenes=args.num_scenes,
                num_frames=args.num_frames,
            )
        rows = configs(args)
        out.parent.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    lines = ['| features | J&F | J | F |', '| --- | --- | --- | --- |']
    for number, (name, cfg) in enumerate(rows.items()):
        scores = measure(cfg, number)
        cells = ' | '.join(f'{score:.2f}' for score in scores)
        lines.append(f'| {name} | {cells} |')
        print(lines[-1], flush=True)
    text = '\n'.join(lines) + '\n'
    write_whole(out, text.encode())
    print(f'\nIn per cent\n\n{text}')


if __name__ == '__main__':
    main()
