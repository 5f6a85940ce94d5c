"""Train from a config."""

import os
import sys

from _command_line import make_parser, parse, prefer_checkout, run
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
    length = parser.add_argument_group(
        'length',
        'another length of the job: schedules, ramps, beginnings of tasks '
        'and intervals keep their share of it',
    )
    length.add_argument('--epochs', type=int, metavar='N')
    length.add_argument(
        '--epoch-length',
        type=int,
        metavar='N',
        help='iterations of an epoch, on the first samples of the data',
    )
    length.add_argument(
        '--iters', type=int, metavar='N', help='for jobs without epochs'
    )
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
    if cfg.get('train_cfg') is None:
        sys.exit(
            f'{args.config} has nothing to train: it sets no train_cfg, '
            'train_dataloader and optim_wrapper. Test with it.'
        )
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
