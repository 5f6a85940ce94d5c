"""What has nothing to do with MC-JEPA: files, checkpoints, random states."""
