"""Train from a config."""

import os
import sys

from _command_line import make_parser, parse, prefer_checkout
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
    args = parse(parser)
    if args.launcher == 'none':
        train_beside_mim()
    elif args.launcher == 'pytorch':
        end_with(os.getppid())  # save, if torchrun is killed

    prefer_checkout()
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
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    build_runner(cfg).train()


if __name__ == '__main__':
    main()
