from .hooks import *  # noqa: F401, F403
from .loops import *  # noqa: F401, F403
from .optimizers import *  # noqa: F401, F403
from .short_log_processor import ShortLogProcessor  # noqa: F401
