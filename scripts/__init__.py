"""What an author of the course runs by hand: `python -m scripts.<folder>.<module>`, nothing that a lesson imports."""
