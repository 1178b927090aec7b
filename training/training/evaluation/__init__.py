"""Metrics, calibration, reports."""
