"""Say what a training would do, by a few real steps, before it is begun.

Prints what was found for each task and what is not used, the length of the
run, parameters, memory and time, and what would be written where. Ends with
status 0 if the config trains, else with a line that says why it does not.
Nothing is written to the work dir.
"""

import signal
import sys

from _command_line import (
    add_length,
    make_parser,
    parse,
    prefer_checkout,
    refuse_without_training,
    run,
)


def main() -> None:
    """Try and report."""
    parser = make_parser(__doc__)
    parser.add_argument(
        '--steps',
        type=int,
        default=3,
        metavar='N',
        help='real steps, of which the first is not counted (default: '
        '%(default)s)',
    )
    add_length(parser)
    args = parse(parser)
    # workers and the temporary folder go also then
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))

    prefer_checkout()
    import torch
    from mmengine.dist import is_main_process

    from mcjepa_mm.apis.training_check import check_training
    from mcjepa_mm.engine.job_length import set_job_length
    from mcjepa_mm.engine.launch import load_config

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
    try:
        report = check_training(cfg, args.steps)
    except torch.cuda.OutOfMemoryError as error:
        sys.exit(
            f'Out of memory: {error} Give a smaller batch_size, or '
            '--cfg-options model.backbone.with_cp=True.'
        )
    if is_main_process():
        print(report)


if __name__ == '__main__':
    run(main)
