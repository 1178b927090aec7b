"""What people read: failures, confidence, figures of the model, examples."""
