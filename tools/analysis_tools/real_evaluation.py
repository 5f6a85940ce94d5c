"""Measure one encoder on folders of real data, without training.

For each folder that is named:

--images         kNN and ridge accuracy, every 4th picture of a class asked
--segmentation   mIoU of a ridge regression from cells to CamVid's classes
--davis          J&F of one object followed through each clip
--middlebury     end-point error of the flow beside that of a flow of zeros
--flyingchairs   the same, of the validation split
--sintel         the same, of the training split's clean and final pass

CHECKPOINT is one of a pretraining, or 'micro'; 'none' takes the config's model
with random weights of the seed. Prints a table of all that FILE holds and
appends one line of JSON to it: every figure, those of each picture, clip and
pair, and where they were computed. real_report prints differences of arms
from it.
docs/results/real_data.md says what the folders hold.
"""

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

FLOW = ('middlebury', 'flyingchairs', 'sintel')


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('checkpoint', help="checkpoint, or 'none'")
    parser.add_argument('--images', nargs='+', default=[], metavar='DIR')
    parser.add_argument('--segmentation', metavar='DIR')
    parser.add_argument('--davis', metavar='DIR')
    for name in FLOW:
        parser.add_argument(f'--{name}', metavar='DIR')
    parser.add_argument(
        '--out',
        default='work_dirs/real_evaluation.jsonl',
        metavar='FILE',
        help='default: %(default)s',
    )
    parser.add_argument(
        '--arm', required=True, help='what the encoder is, for the table'
    )
    parser.add_argument(
        '--seed', type=int, required=True, help='of its training'
    )
    parser.add_argument(
        '--config',
        default='mcjepa_convnext.py',
        help='pretraining config, a file or a name of this package; for '
        "'none', and for checkpoints that do not hold theirs; default: "
        '%(default)s',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        metavar='KEY=VALUE',
        help="changes to the flow model's config, whose decoder is "
        'model.heads.motion.decoder in a pretraining and model.head.decoder '
        "in 'micro'; written into the record",
    )
    parser.add_argument(
        '--references',
        action='store_true',
        help='also follow objects by the first mask copied and by plain '
        'colours, as lines of their own; once is enough',
    )
    args = parser.parse_args()
    cli.refuse_missing(parser, 'checkpoint', args.checkpoint)
    folders = [*args.images, args.segmentation, args.davis]
    folders = list(filter(None, folders + [vars(args)[x] for x in FLOW]))
    for folder in folders:
        cli.refuse_missing(parser, 'folder', folder)
    if not folders:
        parser.error('name at least one folder of data')
    if args.cfg_options and not any(vars(args)[x] for x in FLOW):
        parser.error('--cfg-options are for the flow, name a folder of pairs')
    return args


def open_davis(root: str):
    """Clips of one object, with or without the archive's folders and lists."""
    from mcjepa_mm.datasets import DAVIS2016
    from mcjepa_mm.datasets.object_masks import read_object_mask

    root = Path(root)
    resolution = '480p' if (root / 'JPEGImages/480p').is_dir() else None
    split = 'val' if (root / 'ImageSets').is_dir() else None
    pipeline = [
        dict(type='mcjepa_mm.LoadVideoFrame'),
        dict(type='mcjepa_mm.LoadObjectMask'),
        dict(type='mcjepa_mm.ResizeShortSide', short_side=192, multiple=64),
        dict(type='mcjepa_mm.PackVideoFrame'),
    ]
    options = dict(resolution=resolution, split=split, pipeline=pipeline)
    dataset = DAVIS2016(str(root), **options)
    if split:
        return dataset
    # without a list: those whose first mask numbers one object
    firsts = [dataset.get_data_info(r[0]) for r in dataset.sequences]
    single = [
        info['sequence']
        for info in firsts
        if read_object_mask(info['mask_path']).clip(max=254).max() == 1
    ]
    return DAVIS2016(str(root), sequences=single, **options)


def flow_pairs(name: str, root: str):
    """The labelled pairs of a data set, by its parts."""
    from mcjepa_mm.datasets import FlyingChairs, Middlebury, Sintel

    if name == 'middlebury':
        return {name: Middlebury(root)}
    if name == 'flyingchairs':
        return {name: FlyingChairs(root, test_mode=True)}
    passes = ('clean', 'final')
    return {f'{name}/{x}': Sintel(root, pass_style=x) for x in passes}


def open_flow(args: argparse.Namespace, meta: dict):
    """The motion half of a pretraining, or None if it has none."""
    import torch
    from mmengine.config import Config

    from mcjepa_mm.apis import FlowInferencer
    from mcjepa_mm.apis.model_files import find_config
    from mcjepa_mm.engine.launch import parse_options

    if 'cfg' in meta:
        config = Config.fromstring(meta['cfg'], '.py')
    else:
        config = Config.fromfile(find_config(args.config))
    options = parse_options(args.cfg_options) if args.cfg_options else {}
    for key in options:
        *outer, _ = key.split('.')
        part = config.to_dict()
        for name in outer:
            part = part.get(name) if isinstance(part, dict) else None
        if outer[:1] != ['model'] or not isinstance(part, dict):
            raise ValueError(
                f'--cfg-options {key}: expected a key of a part of the '
                "config's model; see --help for where its decoder is"
            )
    config.merge_from_dict(options)
    # a flow estimator has one head, which is motion's
    heads = config.model.get('heads') or {}
    if 'head' not in config.model and not heads.get('motion'):
        return None
    if args.checkpoint != 'none':
        return FlowInferencer(config, args.checkpoint, 'cpu')
    torch.manual_seed(args.seed)
    warnings.filterwarnings('ignore', message='No checkpoint is given')
    inferencer = FlowInferencer(config, device='cpu')
    # mmengine reports every tensor
    logging.disable(logging.INFO)
    inferencer.model.init_weights()
    logging.disable(logging.NOTSET)
    return inferencer


def evaluate(args: argparse.Namespace) -> list[dict]:
    """All figures, a record for the encoder and one for each reference."""
    from mmengine.config import Config

    from mcjepa_mm.apis.model_files import find_config
    from mcjepa_mm.evaluation.frozen import (
        FrozenEncoder,
        classify_folders,
        measure_flow,
        measure_propagation,
        segment_folder,
    )
    from mcjepa_mm.utils.checkpoint import read_checkpoint

    meta = {}
    if args.checkpoint == 'none':
        config = Config.fromfile(find_config(args.config))
        encoder = FrozenEncoder.untrained(config.model.backbone, args.seed)
    else:
        encoder = FrozenEncoder.from_checkpoint(args.checkpoint)
        meta = read_checkpoint(args.checkpoint)[1]
    record = dict(arm=args.arm, seed=args.seed, checkpoint=args.checkpoint)
    if args.cfg_options:
        record['cfg_options'] = args.cfg_options
    records = [record]
    wanted = [x for x in FLOW if vars(args)[x]]
    inferencer = open_flow(args, meta) if wanted else None
    if wanted and not inferencer:
        missing = f'{args.checkpoint} has no motion task, so no flow of it '
        if not (args.images or args.segmentation or args.davis):
            raise ValueError(missing + 'can be measured')
        print(missing + 'is measured', file=sys.stderr, flush=True)

    def timed(name, function, *words):
        start = time.perf_counter()
        result = function(*words)
        seconds[name] = round(time.perf_counter() - start, 1)
        print(f'{name}: {seconds[name]} s', file=sys.stderr, flush=True)
        return result

    seconds = record['seconds'] = {}
    for folder in args.images:
        name = f'images/{Path(folder).resolve().name}'
        record[name] = timed(name, classify_folders, encoder, folder)
    if args.segmentation:
        record['segmentation'] = timed(
            'segmentation', segment_folder, encoder, args.segmentation
        )
    if args.davis:
        clips = open_davis(args.davis)
        record['davis'] = timed('davis', measure_propagation, clips, encoder)
        if args.references:
            for name in ('first mask', 'colours'):
                scores = timed(name, measure_propagation, clips, name)
                records.append(dict(arm=name, seed=0, davis=scores))
    for name in wanted if inferencer else ():
        record[name] = {}
        for part, pairs in flow_pairs(name, vars(args)[name]).items():
            record[name] |= timed(part, measure_flow, inferencer, pairs)
    return records


def main() -> None:
    """Measure, append, print."""
    args = parse_args()
    cli.prefer_checkout()
    from _real_table import mixed_lines, real_table
    from _records import append_records, read_records

    from mcjepa_mm.utils.provenance import provenance

    records = evaluate(args)
    origin = provenance()
    append_records(args.out, [dict(x, **origin) for x in records])
    records = read_records(args.out)
    print(
        '\n\n'.join(filter(None, [mixed_lines(records), real_table(records)]))
    )


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
