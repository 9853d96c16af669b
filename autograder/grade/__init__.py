"""`nas-course grade`: takes a folder of submissions and a course folder, and gives a gradebook, pages and a CSV.

It brings the other stages together, on many cores or machines, and goes on where a run was cut off.
"""
