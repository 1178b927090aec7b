"""What fits models: phases, losses, rewards, checkpoints."""
