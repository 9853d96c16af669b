"""Where nbgrader and the course meet: its steps, its inlets and its gradebook, set up to go the course's way.

Takes nbgrader's configuration and gives one by which its own commands and Formgrader grade as `nas-course grade` does.
"""
