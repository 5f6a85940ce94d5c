"""Configs on few small files, and with an encoder of four blocks."""

import inspect
import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from PIL import Image

import mcjepa_mm.compat.all  # noqa: F401
from mcjepa_mm.datasets.embedded_world.export import export
from mcjepa_mm.engine.launch import load_config
from mcjepa_mm.models.backbones.convnext import ARCHS

CONFIGS = Path(__file__).parents[2] / 'configs'
SIZE = (96, 128)
CROP = (64, 64)
#: Widths stay, so that what the heads are told of them is tried as well.
SHALLOW = dict(ARCHS['tiny'], depths=(1, 1, 1, 1))
READ = inspect.signature(Runner).parameters
#: Where the configs look for what an export has.
ROOTS = {
    'data/embedded_imagenet': 'imagenet',
    'data/VOCdevkit/VOC2012': 'voc2012_aug/VOCdevkit/VOC2012',
    'data/embedded_voc/VOCdevkit/VOC2012': 'voc2012_aug/VOCdevkit/VOC2012',
    'data/ade/ADEChallengeData2016': 'ade20k/ADEChallengeData2016',
    'data/DAVIS': 'davis2017/DAVIS',
    'data/embedded_davis/DAVIS': 'davis2017/DAVIS',
    'data/YouTubeVOS': 'youtube_vos',
}
LENGTHS = dict(imagenet=dict(num_scenes=20), sintel=dict(num_frames=3))
LENGTHS['davis2017'] = dict(num_frames=3)


def find_configs(folder: str) -> list[str]:
    """Names of the configs below a folder, relative to configs/."""
    paths = (CONFIGS / folder).glob('*.py')
    return sorted(str(path.relative_to(CONFIGS)) for path in paths)


class SmallConfigs:
    """Configs whose data sets are exported into a folder when wanted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = cache(self.data)

    def __call__(self, name: str, tmp_path: Path, **backbone) -> Config:
        """Read a config for a run of one or two steps, or for a test.

        Its encoder begins with the weights in ``tmp_path``/epoch_1.pth, and
        what it writes is below ``tmp_path``/out.
        """
        cfg = load_config(str(CONFIGS / name), work_dir=str(tmp_path / 'work'))
        training = bool(cfg.get('train_dataloader'))
        # mmengine formats the config several times, which takes long
        skipped = 'test_' if training else ('train_', 'val_', 'optim_')
        for key in list(cfg):
            if key not in READ or key.startswith(skipped):
                cfg.pop(key)
        self.out = str(tmp_path / 'out')
        self.shrink(cfg._cfg_dict)
        cfg.model.backbone.update(backbone)
        path = write_checkpoint(cfg, tmp_path / 'epoch_1.pth')
        if cfg.model.type == 'LabelPropagation':
            # the weights of its authors, without this package's names
            cfg.model.backbone.pop('init_cfg', None)
        if cfg.model.backbone.get('init_cfg', {}).get('type') == 'Pretrained':
            cfg.model.backbone.init_cfg.checkpoint = path
        else:
            cfg.load_from = path
        if training:
            length = 'iters' if 'max_iters' in cfg.train_cfg else 'epochs'
            steps = dict(iters=2, epochs=1)[length]
            cfg.train_cfg.update({f'max_{length}': steps})
            if cfg.get('val_cfg') is not None:
                cfg.train_cfg.val_interval = steps
        # the first steps of a warm-up are too small to be seen
        cfg.param_scheduler = None
        hooks = cfg.setdefault('default_hooks', {})
        hooks['checkpoint'] = None
        hooks.pop('visualization', None)
        if 'visualizer' in cfg:
            cfg.visualizer.vis_backends = []
        cfg.experiment_name = f'{Path(name).stem}-{tmp_path.name}'
        cfg.randomness = dict(seed=0)
        cfg.launcher = 'none'
        return cfg

    def shrink(self, node) -> None:
        """Exported files, small crops and batches, no workers; in place."""
        if isinstance(node, dict):
            if node.get('arch') == 'tiny':
                node['arch'] = SHALLOW
            if 'vit_' in node.get('model_name', ''):
                node['depth'] = 2
            if 'data_root' in node:
                node['data_root'] = self.data(node['data_root'])
            if 'out_dir' in node:
                node['out_dir'] = self.out
            if 'crop_size' in node and 'stride' in node:
                node['stride'] = (43, 43)
            patch_14 = node.get('multiple') == 56
            for key in ('crop_size', 'size', 'scale', 'short_side'):
                if isinstance(node.get(key), int):
                    node[key] = CROP[0]
                elif isinstance(node.get(key), (tuple, list)):
                    node[key] = (128, 64) if key == 'scale' else CROP
            if 'num_workers' in node:
                node.update(num_workers=0, persistent_workers=False)
                node['batch_size'] = min(node['batch_size'], 10)
            small = dict(multiple=32, length=4, hidden=(8, 6))
            for key, value in small.items():
                if key in node:
                    node[key] = value
            if patch_14:
                node.update(short_side=56, multiple=28)
            node = list(node.values())
        if isinstance(node, (list, tuple)):
            for item in node:
                self.shrink(item)

    def data(self, root: str) -> str:
        """The exported folder that stands for a config's ``data_root``."""
        place = ROOTS.get(root, root.removeprefix('data/').rstrip('/'))
        layout = place.split('/')[0]
        if not (self.root / layout).exists():
            if layout == 'camvid':
                make_camvid(self.root / 'camvid')
            elif layout == 'youtube_vos':
                make_youtube(self.root / layout, self.data('data/DAVIS'))
            elif layout == 'middlebury':
                make_middlebury(self.root, self.data('data/sintel'))
            else:
                words = dict(num_scenes=2, size=SIZE) | LENGTHS.get(layout, {})
                export(layout, self.root / layout, **words)
            if layout == 'davis2017':
                complete_davis(self.root / 'davis2017' / 'DAVIS')
        return str(self.root / place)


def write_checkpoint(cfg: Config, path: Path) -> str:
    """As the pretraining writes them: another task's head is in it, too."""
    settings = dict(cfg.model.backbone)
    for key in ('init_cfg', 'frozen_stages'):
        settings.pop(key, None)
    torch.manual_seed(1)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        encoder = MODELS.build(settings)
    encoder.init_weights()
    for name, value in encoder.named_buffers():
        if 'running' in name:  # what the pretraining's batches left
            value.uniform_(0.5, 1.5)
    state = {f'backbone.{k}': v for k, v in encoder.state_dict().items()}
    state['heads.content.x'] = torch.zeros(1)
    torch.save(dict(state_dict=state, meta={}), path)
    return str(path)


def make_camvid(root: Path) -> None:
    """Pictures whose masks have all classes, and pixels without one."""
    rng = np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (root / folder).mkdir(parents=True)
    for split in ('train', 'val'):
        names = [f'{split}_{k}' for k in range(3)]
        (root / f'{split}.txt').write_text('\n'.join(names))
        for name in names:
            image = rng.integers(256, size=(64, 96, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / f'images/{name}.jpg')
            mask = rng.integers(12, size=(8, 12), dtype=np.uint8)
            mask = mask.repeat(8, 0).repeat(8, 1)
            Image.fromarray(mask).save(root / f'masks/{name}.png')


def make_middlebury(root: Path, sintel: str) -> None:
    """The first pair of each scene in Middlebury's folders and names."""
    for flow in Path(sintel).glob('training/flow/*/frame_0001.flo'):
        scene = flow.parent.name
        frames = flow.parents[2] / 'clean' / scene
        for place, target in (
            (f'other-gt-flow/{scene}/flow10.flo', flow),
            (f'other-data/{scene}/frame10.png', frames / 'frame_0001.png'),
            (f'other-data/{scene}/frame11.png', frames / 'frame_0002.png'),
        ):
            path = root / 'middlebury' / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)


def make_youtube(root: Path, davis: str) -> None:
    """The first clip of DAVIS's split val in YouTube-VOS's layout.

    Object 1 begins in the first frame, and the others in the second.
    """
    name = 'world_val_1'
    for split in ('train', 'valid'):
        for part, suffix in (('JPEGImages', 'jpg'), ('Annotations', 'png')):
            folder = root / split / part / name
            folder.mkdir(parents=True)
            known = 2 if (split, suffix) == ('valid', 'png') else 3
            for t in range(known):
                file = f'{t:05d}.{suffix}'
                source = Path(davis, part, '480p', name, file)
                (folder / file).symlink_to(source)
        first = np.unique(Image.open(folder / '00000.png'))[1:].tolist()
        objects = {
            str(number): dict(
                category='disc',
                frames=['00001', '00002'] if number > 1 else ['00000'],
            )
            for number in first
        }
        meta = dict(videos={name: dict(objects=objects)})
        (root / split / 'meta.json').write_text(json.dumps(meta))


def complete_davis(root: Path) -> None:
    """The same files as DAVIS 2016, as test-dev and at full resolution."""
    for part in ('JPEGImages', 'Annotations'):
        (root / part / 'Full-Resolution').symlink_to(root / part / '480p')
    lists = root / 'ImageSets'
    (lists / '2016').symlink_to(lists / '2017')
    # the train clips, of which only the first mask is known
    (lists / '2017/test-dev.txt').symlink_to(lists / '2017/train.txt')
    for mask in root.glob('Annotations/480p/world_train_*/*.png'):
        if mask.stem != '00000':
            mask.unlink()
