"""From a folder of photos with captions to batches."""
