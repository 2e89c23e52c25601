"""Converting checkpoints of other projects, and comparing a checkpoint with a model."""
