"""Runs of the exercises' checks that are too long for a test: many seeds, many answers."""
