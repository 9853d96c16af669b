"""Do the checks tell right from wrong? Takes wrong and right answers of every exercise, and gives the kill table.

A wrong one has to lose points and to get the message that names its concept, a right one has to keep all points.
"""
