import signal

import pytest


@pytest.fixture(autouse=True)
def own_handler():
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    'words, message',
    [
        (['--images', 'no'], "FileNotFoundError: images='no' is no folder."),
        ([], 'ValueError: Give images, videos or both: no folder was given.'),
        (
            ['--videos', '.', '--size', 'giant'],
            'ValueError: size must be one of micro, atto, femto, ',
        ),
    ],
)
def test_what_is_refused_is_said_in_a_line(command_here, words, message):
    done = command_here('pretrain', '--out', 'run', *words)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(message)
