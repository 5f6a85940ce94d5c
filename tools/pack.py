"""Pack a folder of images and videos into few tar files, for random access.

The packed folder is used wherever a folder of images or videos is. Again with
the same options, packing goes on where it was stopped; a folder that is packed
already is compared with its checksums.
"""

import _command_line as cli


def main() -> None:
    """Pack, or say in one line why not."""
    parser = cli.OneLineParser(description=__doc__)
    parser.add_argument(
        'source', help='folder with images and videos, at any depth'
    )
    parser.add_argument('--out', **cli.SHARED['--out'])
    parser.add_argument(
        '--jpeg',
        type=int,
        metavar='QUALITY',
        help="store videos' frames as JPEG, 1 to 100 (default: uncompressed, "
        'without loss); images stay the files they are',
    )
    parser.add_argument(
        '--shard-mib',
        type=int,
        default=1024,
        metavar='N',
        help='size from which a tar file takes no more (default: %(default)s)',
    )
    args = vars(parser.parse_args())
    cli.prefer_checkout()
    from mcjepa_mm.datasets.packing import pack_folder

    packed = pack_folder(**args)
    print(
        f'{args["out"]}: {len(packed)} files in {packed.num_shards} shards. '
        'Give it as the folder of images or videos (--images, --videos, '
        'MCJEPA_IMAGES, MCJEPA_VIDEOS, data_root).'
    )


if __name__ == '__main__':
    cli.run(main, cli.INPUT_ERRORS)
