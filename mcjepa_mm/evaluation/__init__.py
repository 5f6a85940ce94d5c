"""Metrics, and the functions behind them."""

from .metrics import *  # noqa: F403
