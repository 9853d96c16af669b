"""A lesson's source on its way to learners: read, verified, built, searched for leaks, packed.

Takes solutions/ and gives notebooks/, the checks' public answers and the release's zip. What learners hand in is
none of its business.
"""
