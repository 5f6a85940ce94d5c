"""Put MC-JEPA's encoder into a config of another OpenMMLab project.

Writes a short config that inherits the given one with its backbone replaced,
after it has built the model and run it once. The new config trains with the
project's own command, such as `mim train mmsegmentation FILE`.
"""

import argparse
import warnings

from _command_line import INPUT_ERRORS, prefer_checkout, run

PROJECTS = 'mmseg|mmpretrain|mmdet|mmflow|mmcv|mmengine|torch'


def main() -> None:
    """Swap, or say in one line why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'config',
        help='config of mmsegmentation, mmpretrain, mmdetection or mmflow: a '
        'path, the name of one of this package, or PROJECT::FILE for one that '
        'the installed project ships, such as '
        'mmseg::pspnet_r50-d8_4xb2-40k_cityscapes-512x1024',
    )
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument(
        '--checkpoint',
        '--weights',
        help='checkpoint of a pretraining, or the name of weights of this '
        "package, 'micro'; it decides the size of the encoder. Without one "
        'the encoder starts from random weights',
    )
    weights.add_argument(
        '--arch',
        help='size of the encoder where there is no checkpoint; default: tiny',
    )
    parser.add_argument(
        '-o',
        '--out',
        help='file to write; default: the name of the config with _mcjepa, '
        'in the current folder',
    )
    args = parser.parse_args()
    # What those projects say about themselves while they are built.
    warnings.filterwarnings('ignore', module=PROJECTS)
    prefer_checkout()
    import mcjepa_mm  # noqa: F401  (patches imports)
    from mcjepa_mm.swap import swap_backbone

    report = swap_backbone(**vars(args))
    print(report)
    print(f'written: {report.path}')


if __name__ == '__main__':
    run(main, INPUT_ERRORS)
