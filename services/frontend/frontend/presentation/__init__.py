"""Texts and numbers for users: failures, confidence, figures of the model, examples."""
