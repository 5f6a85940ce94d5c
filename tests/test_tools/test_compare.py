import json

import cv2


def test_a_table_and_a_picture(command_here, tmp_path):
    for name, loss in (('a', 1.5), ('b', 2.5)):
        folder = tmp_path / name / '20260101_000000' / 'vis_data'
        folder.mkdir(parents=True)
        record = json.dumps(dict(loss=loss, epoch=1, iter=50, step=50))
        (folder / 'scalars.json').write_text(record + '\n')
    words = ('compare', 'a', 'b', '--out', 'new/compare.png')
    done = command_here(*words, '--figures', 'l*')
    assert done.returncode == 0, done.stderr
    row = next(x for x in done.stdout.splitlines() if 'loss' in x)
    assert row.split() == ['|', 'loss', '|', '1.5', '|', '2.5', '|']
    assert cv2.imread(str(tmp_path / 'new/compare.png')) is not None
