"""Train arms of an experiment on the embedded world, and compare them.

    evidence.py run tune --seeds 100 101 102    # settings, on other scenes
    evidence.py run main --seeds 0 1 2 3 4 5
    evidence.py report

`run` goes through all arms and seeds that FILE has no line of. It may be
stopped and started at any time, and may run several times at once. Each line
has the figures, the CPU time and where they were computed. `report` prints
what docs/results/evidence.md states, shown or not, and draws --plot.
"""

import argparse
import fcntl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import _command_line as cli

ROOT = Path(__file__).resolve().parents[2]
STAGES = ('tune', 'main')


def parse_args() -> argparse.Namespace:
    """Read the command line, before anything heavy is imported."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='train and measure')
    run.add_argument('stage', choices=STAGES)
    run.add_argument('--seeds', nargs='+', type=int, required=True)
    run.add_argument('--arms', nargs='+', metavar='ARM')
    run.add_argument(
        '--epochs',
        type=int,
        default=3,
        help='of 100 steps, for arms that are not at equal CPU time; '
        'default: %(default)s',
    )
    run.add_argument(
        '--scale',
        type=float,
        default=1.0,
        help='of the number of scenes, clips and images that are measured, '
        'to try it; default: %(default)s',
    )
    run.add_argument(
        '--work-dir', default='work_dirs/evidence', help='default: %(default)s'
    )
    run.add_argument('--only', action='store_true', help=argparse.SUPPRESS)
    report = commands.add_parser('report', help='print statements and plot')
    report.add_argument('--plot', metavar='PNG')
    for command in (run, report):
        command.add_argument(
            '--out',
            default=str(ROOT / 'docs/results/evidence.jsonl'),
            metavar='FILE',
            help='lines of JSON; default: %(default)s',
        )
    return parser.parse_args()


def lines_of(path: str) -> list[dict]:
    """The lines that there are."""
    from _records import read_records

    return read_records(path) if Path(path).exists() else []


def train_and_measure(args: argparse.Namespace, arm: str, seed: int) -> dict:
    """One arm with one seed, from its last checkpoint if it has one."""
    import logging

    import torch
    from _evidence_arms import WORLD, arms_of, job
    from _evidence_parts import CPUTimeHook, cpu_seconds

    from mcjepa_mm.engine.launch import build_runner, initialize_model
    from mcjepa_mm.utils.provenance import provenance

    logging.captureWarnings(True)
    trained = arms_of(args.stage)[arm]
    folder = Path(args.work_dir, args.stage, f'{arm}-{seed}')
    start = ''
    if trained and trained.encoder:
        start = folder.with_name(f'{trained.encoder}-{seed}')
        start = (start / 'last_checkpoint').read_text().strip()
    cfg = job(
        trained,
        seed=seed,
        stage=args.stage,
        epochs=args.epochs,
        scale=args.scale,
        encoder=start,
    )
    cfg.work_dir = str(folder)
    cfg.resume = (folder / 'last_checkpoint').exists()
    runner = build_runner(cfg)
    torch.set_num_threads(1)
    runner.register_hook(CPUTimeHook())
    if trained:
        runner.train()
    else:
        initialize_model(runner)
    torch.manual_seed(0)
    started = time.process_time()
    figures = measure(runner, args.stage, args.scale)
    return dict(
        stage=args.stage,
        arm=arm,
        seed=seed,
        steps=runner.iter,
        scale=args.scale,
        epochs=args.epochs,
        world=WORLD,
        **figures,
        cpu_minutes=round(cpu_seconds(runner) / 60, 2),
        measuring_minutes=round((time.process_time() - started) / 60, 2),
        **provenance(),
    )


def measure(runner, stage: str, scale: float) -> dict[str, Any]:
    """Figures of a model on scenes that no training saw."""
    import torch
    from _evidence_arms import SPLITS, WORLD
    from _probes import cell_figures

    found = runner.val_loop.run()
    names = {
        'motion/EPE_ratio': 'epe_ratio',
        'content/kNN_centred': 'knn',
        'propagation/JF_mean': 'jf',
    }
    figures = {
        name: round(float(found[key]), 4)
        for key, name in names.items()
        if key in found
    }
    model = runner.model.eval()
    scenes = max(4, round(400 * scale))
    with torch.no_grad():
        figures |= cell_figures(
            model,
            scenes=scenes,
            fit=scenes * 3 // 4,
            split=SPLITS[stage],
            **WORLD,
        )
    return figures


def color_figures(args: argparse.Namespace) -> dict:
    """J&F by whitened colours on the same clips."""
    import torch.nn.functional as F
    from _evidence_arms import WORLD, job
    from mmengine.registry import DATASETS, METRICS, init_default_scope

    from mcjepa_mm.evaluation.frozen.encoder import normalize
    from mcjepa_mm.models.heads import PropagationHead
    from mcjepa_mm.models.propagation import ColorReader
    from mcjepa_mm.utils.provenance import provenance

    init_default_scope('mcjepa_mm')
    cfg = job(None, seed=0, stage=args.stage, epochs=1, scale=args.scale)
    clips = DATASETS.build(cfg.val_dataloader.propagation.dataset)
    metric = METRICS.build(cfg.val_evaluator.propagation)
    metric.dataset_meta = clips.metainfo
    head = PropagationHead()
    settings = dict(cfg.model.heads.propagation)
    del settings['type']
    head.reader = ColorReader(**settings)
    for i in range(len(clips)):
        inputs, sample = clips[i]['inputs'], clips[i]['data_samples']
        colors = F.avg_pool2d(normalize(inputs), settings['stride'])
        frames = head.predict((colors,), inputs[None], [sample])
        metric.process({}, [x.to_dict() for x in frames])
    found = metric.evaluate(len(clips) * len(inputs))
    (value,) = (v for k, v in found.items() if k.endswith('JF_mean'))
    return dict(
        stage=args.stage,
        arm='colors',
        seed=0,
        scale=args.scale,
        epochs=args.epochs,
        world=WORLD,
        jf=round(float(value), 4),
        **provenance(),
    )


def run_queue(args: argparse.Namespace) -> None:
    """Run what FILE has no line of, each in a process of its own."""
    from _evidence_arms import arms_of
    from _evidence_report import check_lines

    arms = arms_of(args.stage)
    unknown = set(args.arms or ()) - set(arms)
    if unknown:
        raise ValueError(
            f'unknown arms {sorted(unknown)}; there are {sorted(arms)}'
        )
    for drawn in args.seeds:
        for arm in args.arms or arms:
            # of colors nothing is drawn
            seed = 0 if arm == 'colors' else drawn
            folder = Path(args.work_dir, args.stage, f'{arm}-{seed}')
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / 'lock', 'w') as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # another queue is at it
                lines = lines_of(args.out)
                check_lines(lines, args.stage)
                if any(
                    (x['stage'], x['arm'], x['seed'])
                    == (args.stage, arm, seed)
                    for x in lines
                ):
                    continue
                command = [sys.executable, *sys.argv, '--only']
                command += ['--arms', arm, '--seeds', str(seed)]
                with open(folder / 'log.txt', 'a') as log:
                    done = subprocess.run(command, stdout=log, stderr=log)
                print(arm, seed, 'ended with', done.returncode, flush=True)
                if done.returncode > 128 or done.returncode < 0:
                    sys.exit(128)  # stopped: the rest waits, too


def main() -> None:
    """Run, or report."""
    args = parse_args()
    cli.prefer_checkout()
    from _records import append_records

    import mcjepa_mm  # noqa: F401  (patches imports)

    if args.command == 'report':
        from _evidence_report import plot, report

        lines = lines_of(args.out)
        print(report(lines))
        if args.plot:
            plot(lines, args.plot)
    elif args.only:
        (arm,), (seed,) = args.arms, args.seeds
        line = (
            color_figures(args)
            if arm == 'colors'
            else train_and_measure(args, arm, seed)
        )
        append_records(args.out, [line])
    else:
        run_queue(args)


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
