"""Train from a config."""

import os

import _command_line as cli
from _mim_child import end_with, train_beside_mim


def main() -> None:
    """Train."""
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or without a value from the newest '
        'one in the work dir',
    )
    cli.add_length(parser)
    args = cli.parse(parser)
    if args.launcher == 'none':
        train_beside_mim()
    elif args.launcher == 'pytorch':
        end_with(os.getppid())  # save, if torchrun is killed

    cli.prefer_checkout()
    from mcjepa_mm.engine.launch import build_runner

    cfg = cli.load_training(args)
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    build_runner(cfg).train()


if __name__ == '__main__':
    cli.run(main)
