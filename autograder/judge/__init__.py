"""What an answer is worth: takes a submission's notebook and gives each exercise's score, concept and sentence.

The learner's code runs in a `sandbox`; the cells of the lesson, the references and the judges stay on this side.
"""
