"""Say what a training would do, by a few real steps, before it is begun.

Prints what was found for each task and what is not used, the length of the
run, parameters, memory and time, and what would be written where. Ends with
status 0 if the config trains, else with a line that says why it does not.
Nothing is written to the work dir.
"""

import signal
import sys

import _command_line as cli


def main() -> None:
    """Try and report."""
    parser = cli.make_parser(__doc__)
    parser.add_argument(
        '--steps',
        type=int,
        default=3,
        metavar='N',
        help='real steps, of which the first is not counted (default: '
        '%(default)s)',
    )
    cli.add_length(parser)
    args = cli.parse(parser)
    # workers and the temporary folder go also then
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

    cli.prefer_checkout()
    from mmengine.dist import is_main_process

    from mcjepa_mm.apis.training_check import check_training

    cfg = cli.load_training(args)
    report = check_training(cfg, args.steps)
    if is_main_process():
        print(report)


if __name__ == '__main__':
    cli.run(main)
