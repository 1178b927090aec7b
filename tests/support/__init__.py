"""Generated test data and small helpers that several test packages share."""
