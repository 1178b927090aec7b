"""The process that serves HTTP: connections, their limits, start and stop."""
