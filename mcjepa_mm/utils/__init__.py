"""Utilities for files, checkpoints and random states."""
