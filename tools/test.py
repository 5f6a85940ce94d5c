"""Test a checkpoint, or a model without one, with the metrics of a config."""

import sys

from _command_line import make_parser, parse, prefer_checkout, run


def main() -> None:
    """Test."""
    parser = make_parser(__doc__)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        default='none',
        help='checkpoint file, or the name of weights of this package, '
        "'micro'; 'none', or nothing, tests the model as its "
        'config initialises it',
    )
    args = parse(parser)

    prefer_checkout()
    from mcjepa_mm.engine.launch import (
        build_runner,
        initialize_model,
        load_config,
    )
    from mcjepa_mm.utils.named_weights import find_weights

    cfg = load_config(
        args.config,
        work_dir=args.work_dir,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
    )
    if cfg.get('test_dataloader') is None:
        sys.exit(
            f'{args.config} has nothing to test: it sets no test_dataloader, '
            'test_cfg and test_evaluator.'
        )
    cfg.resume = False  # a test takes weights, also of no training
    if args.checkpoint != 'none':
        cfg.load_from = str(find_weights(args.checkpoint))
    runner = build_runner(cfg)
    if cfg.get('load_from') is None:
        initialize_model(runner)
    runner.test()


if __name__ == '__main__':
    run(main)
