"""The captioner as a service: scheduled, cached, measured. Knows nothing of HTTP."""
