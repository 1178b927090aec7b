"""Training: data, phases, losses, rewards, checkpoints."""
