"""Experiments too long for a lesson: recorded once, beside their scripts, and merged into what lessons read."""
