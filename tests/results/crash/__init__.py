"""Killing runs at every file operation and comparing what they leave with a run left alone."""
