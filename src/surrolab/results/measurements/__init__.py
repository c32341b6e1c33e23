"""What is measured and no training sweep: a module for each, with a function ``measure``.

It takes ``seed`` and the parameters of its study, all by keyword, and returns numbers, lists of
them or words by name.
"""
