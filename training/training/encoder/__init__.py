"""Xception as the encoder: its weights, its export, its feature maps."""
