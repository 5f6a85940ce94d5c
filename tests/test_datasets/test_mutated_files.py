"""Damaged files of every kind, through the loaders of the configs."""

import json
from pathlib import Path

import cv2
import pytest
from mutated_files import intact, mutations, picture

TOYS = Path(__file__).parents[1] / 'toys'


# what a kind is called in the layouts that it is put in
LAYOUTS = dict(
    jpg=dict(images='{}.jpg', frames='jpg/{}/1.jpg'),
    png=dict(images='{}.png', frames='png/{}/1.png'),
    flo=dict(chairs='data/{:05d}_flow.flo'),
    kitti=dict(kitti='training/flow_occ/{:06d}_10.png'),
    mp4=dict(videos='{}.mp4', masked_videos='{}.mp4'),
    pfm=dict(things='{}.pfm'),
    mask=dict(masks='{}.png'),
)
CASES = [(kind, layout) for kind in LAYOUTS for layout in LAYOUTS[kind]]
NUMBERED = ('chairs', 'kitti')
KNOWS_SIZE = ('frames', 'chairs', 'kitti', 'things', 'masks')


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)


def put_picture(path, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(seed))


def surround(layout, folder, key, path):
    """What a file of a layout needs beside it, intact."""
    if layout == 'frames':
        put_picture(path.with_stem('0'))
    elif layout == 'masked_videos':
        put(path.with_suffix('.png'), intact('mask', folder))
    elif layout == 'masks':
        put_picture(folder / 'frames' / '0.jpg')
    elif layout == 'chairs':
        for n in (1, 2):
            put_picture(path.with_name(f'{key:05d}_img{n}.ppm'))
    elif layout == 'kitti':
        for n in (10, 11):
            frame = f'training/image_2/{key:06d}_{n}.png'
            put_picture(folder / frame)


def lay_out(root, kind, layout, made):
    """Write a data set with all mutations, and the intact file as well.

    Returns:
        dict[str, str]: What is known of each file: a mutation's ``bad``, or
        'fine'.
    """
    folder = root / layout
    known = {}
    (root / 'scratch').mkdir(exist_ok=True)
    files = [(m.name, m.content, m.bad) for m in made]
    files.append(('intact', intact(kind, root / 'scratch'), 'fine'))
    for number, (name, content, bad) in enumerate(files, start=1):
        if layout == 'masked_videos' and content is None:
            continue  # a folder is frames, there
        key = number if layout in NUMBERED else name
        path = folder / LAYOUTS[kind][layout].format(key)
        put(path, content)
        surround(layout, folder, key, path)
        known[str(path)] = bad
    if layout == 'chairs':
        split = folder / 'FlyingChairs_train_val.txt'
        split.write_text('2\n' * len(files))
    if layout == 'things':
        put_picture(folder / '0.png')
        frame = str(folder / '0.png')
        pairs = [
            dict(img1_path=frame, img2_path=frame, flow_fw_path=path)
            for path in known
        ]
        pairs = dict(metainfo={}, data_list=pairs)
        (folder / 'pairs.json').write_text(json.dumps(pairs))
    return known


def read_all(run, root, flips):
    """Lay out, read in a process of its own, and what it reports."""
    known = {}
    for kind, layout in CASES:
        (root / 'scratch').mkdir(exist_ok=True)
        made = mutations(kind, root / 'scratch', flips)
        known[kind, layout] = lay_out(root, kind, layout, made)
    done = run('python', TOYS / 'read_mutated_files.py', root)
    assert done.returncode == 0, (
        f'while {(root / "reading").read_text()} was read:\n'
        f'{done.stderr[-3000:]}'
    )
    assert not (root / 'scratch' / 'payload-was-run').exists()
    return known, json.loads((root / 'report.json').read_text())


def check(known, report, layout):
    named = set(report[layout]['named'])
    wanted = ['always'] + ['size'] * (layout in KNOWS_SIZE)
    missed = [
        path
        for path, bad in known.items()
        if bad in wanted and path not in named
    ]
    assert not missed
    assert not [path for path in named if known.get(path) == 'fine']
    assert not report[layout]['wrong']


@pytest.fixture(scope='module')
def read(tmp_path_factory, run):
    return read_all(run, tmp_path_factory.mktemp('mutated'), flips=30)


@pytest.mark.parametrize('kind, layout', CASES)
def test_every_damaged_file_is_named(read, kind, layout):
    known, report = read
    assert len(known[kind, layout]) > 40
    check(known[kind, layout], report, layout)
