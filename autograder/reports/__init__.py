"""Results as people read them: takes points, messages and signs, and gives tables, feedback pages and CSV files.

Nothing is run or judged here.
"""
