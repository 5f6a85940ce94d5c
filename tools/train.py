"""Train from a config."""

import os

from _command_line import (
    add_length,
    make_parser,
    parse,
    prefer_checkout,
    refuse_without_training,
    run,
)
from _mim_child import end_with, train_beside_mim


def main() -> None:
    """Train."""
    parser = make_parser(__doc__)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or without a value from the newest '
        'one in the work dir',
    )
    add_length(parser)
    args = parse(parser)
    if args.launcher == 'none':
        train_beside_mim()
    elif args.launcher == 'pytorch':
        end_with(os.getppid())  # save, if torchrun is killed

    prefer_checkout()
    from mcjepa_mm.engine.job_length import set_job_length
    from mcjepa_mm.engine.launch import build_runner, load_config

    cfg = load_config(
        args.config,
        work_dir=args.work_dir,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
    )
    refuse_without_training(cfg, args.config)
    set_job_length(
        cfg,
        epochs=args.epochs,
        epoch_length=args.epoch_length,
        iters=args.iters,
    )
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    build_runner(cfg).train()


if __name__ == '__main__':
    run(main)
