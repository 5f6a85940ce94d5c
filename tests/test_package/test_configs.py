import os
from collections import Counter

import yaml


def config_files(repo):
    return sorted((repo / 'configs').rglob('*.py'))


def listed_configs(repo):
    index = yaml.safe_load((repo / 'model-index.yml').read_text())
    for name in index['Import']:
        metafile = yaml.safe_load((repo / name).read_text())
        for model in metafile['Models']:
            yield repo / model['Config']


def test_mim_finds_one_file_for_the_name_of_a_config(repo):
    # MIM walks all of the package for a basename: a module of the same name
    # is one too many as well. It follows links, and so into .mim.
    package = repo / 'mcjepa_mm'
    count = Counter(
        name
        for _, _, names in os.walk(package, followlinks=True)
        for name in names
    )
    names = {path.name for path in config_files(repo)}
    assert {name: count[name] for name in names if count[name] != 1} == {}


def test_the_model_index_lists_every_config_that_can_be_run(repo):
    runnable = {
        path for path in config_files(repo) if '_base_' not in path.parts
    }
    listed = list(listed_configs(repo))
    assert len(listed) == len(set(listed))
    assert set(listed) == runnable
