"""Read damaged files as training does: python read_mutated_files.py FOLDER.

Below FOLDER are data sets, one for each layout; a file `index` of names,
`report.json` with what was found, and `reading`, the sample that is read,
by which a crash or a hang is told, are written there.
"""

import faulthandler
import json
import resource
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

import mcjepa_mm  # noqa: F401
from mcjepa_mm.datasets import BadSampleError, BadSampleGuard, MaskedVideos

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
SECONDS = 30  # for one sample: a thousand times what it takes
MEMORY = 2**29  # bytes, beside what was taken before
DECODERS = 2**32  # 8 open videos have a stack for each of their threads


def main(root: Path) -> None:
    init_default_scope('mcjepa_mm')
    faulthandler.enable()
    readers = dict(
        images=read_guarded,
        frames=read_guarded,
        videos=read_guarded,
        chairs=read_guarded,
        kitti=read_guarded,
        things=read_guarded,
        masks=read_masked,
        masked_videos=read_masked,
    )
    configs = {name: config(name, root / name) for name in readers}
    report = {}
    for name, read in readers.items():
        if (root / name).exists():
            limit_memory(DECODERS if 'videos' in name else MEMORY)
            report[name] = read(configs[name], root)
    (root / 'report.json').write_text(json.dumps(report))


def limit_memory(more: int) -> None:
    """Let the process take so many bytes more than it has by now."""
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def config(layout: str, folder: Path) -> dict:
    """The data set of a config in this repository, at another place."""
    own = Config.fromfile(CONFIGS / 'own_data.py')
    chairs = Config.fromfile(CONFIGS / 'flow_flyingchairs.py')
    kitti = Config.fromfile(CONFIGS / 'flow_kitti2015.py')
    data = dict(
        images=own.content_train_dataloader.dataset.dataset,
        frames=own.motion_train_dataloader.dataset.dataset,
        videos=own.motion_train_dataloader.dataset.dataset,
        chairs=chairs.flyingchairs_test_dataloader.dataset,
        kitti=kitti.kitti2015_test_dataloader.dataset,
        things=dict(
            chairs.flyingchairs_test_dataloader.dataset,
            ann_file=str(folder / 'pairs.json'),
            data_prefix={},
        ),
    ).get(layout, {})
    return dict(data, data_root=str(folder))


def watched(root: Path, name: str) -> None:
    """Say what is read now, and end the process if that takes too long."""
    (root / 'reading').write_text(name)
    faulthandler.dump_traceback_later(SECONDS, exit=True)


def read_guarded(config: dict, root: Path) -> dict:
    watched(root, f'the list of {config["data_root"]}')
    guard = BadSampleGuard(config, max_bad=10**6)
    wrong = []
    for index in range(len(guard)):
        info = guard.get_data_info(index)
        watched(root, str(info.get('flow_fw_path', info.get('img_path'))))
        problem = malformed(guard[index])
        if problem:
            wrong.append([str(info), problem])
    short = getattr(guard.dataset, 'short_files', [])
    return dict(named=guard.bad_files() + short, wrong=wrong)


def read_masked(config: dict, root: Path) -> dict:
    """Videos with masks: the list fails, or a frame of it."""
    folder = Path(config['data_root'])
    pipeline = Config.fromfile(CONFIGS / 'vos_davis2017.py')
    pipeline = pipeline.davis2017_test_pipeline
    assert pipeline[2].type == 'mcjepa_mm.ResizeShortSide'
    del pipeline[2]  # which makes them large
    named, wrong = [], []
    for mask in sorted(folder.glob('*.png')):
        video = next(folder.glob(f'{mask.stem}.mp4'), folder / 'frames')
        watched(root, f'{video} and {mask}')
        try:
            data = MaskedVideos(
                videos=dict(one=(str(video), str(mask))),
                pipeline=pipeline,
            )
            for sample in data:
                inputs = sample['inputs']
                if inputs.dtype != torch.uint8 or inputs.shape[0] != 3:
                    wrong.append([str(mask), str(inputs.shape)])
        except BadSampleError as error:
            named += [error.filename] * (error.filename in str(error))
    return dict(named=named, wrong=wrong)


def malformed(sample: dict) -> str:
    inputs, truth = sample['inputs'], sample['data_samples']
    if inputs.dtype != torch.uint8 or inputs.shape[:2] != (2, 3):
        return f'{inputs.dtype} {tuple(inputs.shape)}'
    if 'gt_flow_fw' in truth:
        flow = truth.gt_flow_fw.data
        if flow.shape != (2, *inputs.shape[2:]) or not flow.isfinite().all():
            return f'flow {tuple(flow.shape)}, or not finite'
    elif inputs.shape[2:] not in ((224, 224), (256, 256)):
        return f'{tuple(inputs.shape)}'
    return ''


if __name__ == '__main__':
    main(Path(sys.argv[1]))
