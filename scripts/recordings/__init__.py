"""Experiments too long for a lesson, each recorded once, beside its script, for lessons to show."""
