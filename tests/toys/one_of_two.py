"""One of two processes that share the work of a test.

    python one_of_two.py TEST.py RANK FOLDER

calls ``share(rank, folder)`` of the test's file in a gloo group, and keeps in
the folder what it returns.
"""

import importlib
import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed

script, rank, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
os.environ['LOCAL_RANK'] = str(rank)
distributed.init_process_group(
    'gloo',
    init_method=f'file://{folder}/meet',
    rank=rank,
    world_size=2,
    timeout=timedelta(seconds=180),
)
sys.path.insert(0, str(script.parent))
result = importlib.import_module(script.stem).share(rank, folder)
torch.save(result, folder / f'share_{rank}.pt')
distributed.barrier()
distributed.destroy_process_group()
