"""Measurements, not tests: each module is a command, `python -m tests.benchmarks.NAME`."""
