from .hooks import *  # noqa: F403
from .loops import *  # noqa: F403
from .optimizers import *  # noqa: F403
from .short_log_processor import ShortLogProcessor  # noqa: F401
