"""The table of trained cells: what trains it, checks it and describes it, and the study behind its recipe."""
