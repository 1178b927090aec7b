"""The captioner as a service, without HTTP: scheduler, cache, settings, metrics, logs, traces."""
