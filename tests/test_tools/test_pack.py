import cv2
import numpy as np


def test_pack(command_here, tmp_path):
    (tmp_path / 'photos' / 'a').mkdir(parents=True)
    for number in range(3):
        image = np.full((64, 64, 3), 80 * number, np.uint8)
        cv2.imwrite(str(tmp_path / 'photos' / 'a' / f'{number}.png'), image)
    words = ['pack', 'photos', '--out', 'packed']
    for _ in range(2):  # the second time they are compared
        done = command_here(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith('packed: 3 files in 1 shards. ')
    done = command_here(*words, '--jpeg', 90)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert 'jpeg' in line and str(tmp_path / 'packed') in line
    (tmp_path / 'packed' / '00000.tar').unlink()
    (line,) = command_here(*words).stderr.splitlines()
    assert '00000.tar is missing' in line
