"""Feature sources and read-out settings of label propagation."""

import csv
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/vos'
    / 'label-propagation_mcjepa-convnext-micro_embedded-davis.py'
)
FIGURES = ('JF_mean', 'J_mean', 'F_mean')


class Setting(NamedTuple):
    """How features are read out; '-' where that makes no difference.

    Attributes:
        short_side (int | str): Pixels of the frames that are encoded.
        stride (int | str): Pixels from cell to cell.
        levels (str): 'all', or positions with commas between them.
        whiten (str): 'none', 'first_frame' or 'images'.
    """

    short_side: int | str = '-'
    stride: int | str = '-'
    levels: str = '-'
    whiten: str = '-'


@dataclass(frozen=True)
class Source:
    """Features that follow objects.

    Attributes:
        name (str): Of the rows.
        kind (str): 'trained', 'untrained', 'colours', 'first mask' or
            'perfect'.
        arch (int): Number of the encoder's architecture.
        model (dict): Type of the model, where it is another.
        backbone (dict): Settings of the backbone.
        seed (int, optional): Of random weights.
    """

    name: str
    kind: str
    arch: int = 0
    model: dict[str, Any] = field(default_factory=dict)
    backbone: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None

    @property
    def is_chosen_for(self) -> bool:
        """Whether its setting is a choice; the references have none."""
        return self.kind in ('trained', 'untrained', 'colours')

    def settings(self, every: Sequence[Setting]) -> list[Setting]:
        """Those that differ for it, in order."""
        blank = Setting()
        known = {
            'first mask': lambda s: blank,
            'perfect': lambda s: s._replace(levels='-', whiten='-'),
            'colours': lambda s: s._replace(levels='-'),
        }.get(self.kind, lambda s: s)
        return list(dict.fromkeys(map(known, every)))


def every_setting(
    short_sides: Sequence[int],
    strides: Sequence[int],
    levels: Sequence[str],
    whiten: Sequence[str],
) -> list[Setting]:
    """All combinations."""
    choices = itertools.product(short_sides, strides, levels, whiten)
    return [Setting(*choice) for choice in choices]


def find_sources(checkpoints: Sequence[str], num_random: int) -> list[Source]:
    """Encoders, and what stands beside them.

    Args:
        checkpoints (Sequence[str]): Files; without one, random encoders are
            of the config's architecture.
        num_random (int): Random encoders of each architecture.

    Returns:
        list[Source]: In the order of the table.
    """
    from mcjepa_mm.models.backbones import read_backbone

    sources, archs = [], []
    for path in checkpoints:
        trained = read_backbone(path)
        if trained.settings not in archs:
            archs.append(trained.settings)
        init = dict(type='Pretrained', checkpoint=path, prefix=trained.prefix)
        sources.append(
            Source(
                path,
                'trained',
                archs.index(trained.settings),
                backbone=dict(trained.settings, init_cfg=init),
            )
        )
    for number, settings in enumerate(archs or [{}]):
        for seed in range(num_random):
            name = f'random, seed {seed}' + f', arch {number}' * bool(number)
            sources.append(
                Source(name, 'untrained', number, backbone=settings, seed=seed)
            )
    return [
        *sources,
        Source(
            'colours of the cells',
            'colours',
            model=dict(type='ColorPropagation'),
        ),
        Source('the first mask', 'first mask', model=dict(type='FirstMask')),
        Source(
            'perfect features',
            'perfect',
            model=dict(type='PerfectPropagation'),
        ),
    ]


def config_of(
    source: Source, setting: Setting, dataset: dict, options: list | None
):
    """The config of a test, which writes nothing."""
    from mcjepa_mm.engine.launch import load_config

    cfg = load_config(str(CONFIG), cfg_options=options)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(dataset)
    # every row says what its weights are
    cfg.log_level = 'ERROR'
    cfg.vis_backends = cfg.visualizer.vis_backends = []
    resize = cfg.test_dataloader.dataset.pipeline[2]
    if setting.short_side != '-':
        resize.short_side = setting.short_side
        cfg.model.stride = setting.stride
    if setting.whiten == 'first_frame':
        cfg.model.whiten = setting.whiten
    if setting.levels != '-':
        cfg.model.levels = read_levels(setting.levels)
    cfg.model.update(source.model)
    cfg.model.backbone.update(source.backbone)
    cfg.randomness = dict(seed=source.seed)
    return cfg


def read_levels(word: str) -> str | list[int]:
    """'all', or the positions in '0,1,2'."""
    return word if word == 'all' else [int(part) for part in word.split(',')]


def measure(cfg, images: Sequence[Path]) -> dict[str, Any]:
    """J&F, J and F in per cent, of all objects and of each clip.

    Returns:
        dict: ``FIGURES``, and in ``clips`` the same by the clip's name.
    """
    from mcjepa_mm.apis.vos_inferencer import fit_whitening
    from mcjepa_mm.datasets.transforms.video_frames import ResizeShortSide
    from mcjepa_mm.engine.launch import build_runner, initialize_model

    with tempfile.TemporaryDirectory() as work_dir:
        cfg.work_dir = work_dir
        # two runs of one name in one second would share a visualizer
        cfg.experiment_name = Path(work_dir).name
        cfg.test_evaluator = dict(
            type='DAVISMetric', table=False, out_dir=work_dir
        )
        resize = dict(cfg.test_dataloader.dataset.pipeline[2])
        del resize['type']
        runner = build_runner(cfg)
        initialize_model(runner)
        if images:
            fit_whitening(runner.model, images, ResizeShortSide(**resize))
        scores = runner.test()
        with open(Path(work_dir, 'sequences.csv'), newline='') as file:
            clips = {
                row['sequence']: {name: float(row[name]) for name in FIGURES}
                for row in csv.DictReader(file)
            }
    return {name: scores[name] for name in FIGURES} | dict(clips=clips)


def first_frames(dataset: dict) -> Iterator[tuple[str, Path, int]]:
    """Name, file and shorter side of each clip's first frame."""
    from mcjepa_mm.datasets import DAVIS2017

    clips = DAVIS2017(**dataset)
    for frames in clips.sequences:
        entry = clips.get_data_info(frames[0])
        yield (
            entry['sequence'],
            Path(entry['img_path']),
            min(entry['sequence_shape']),
        )
