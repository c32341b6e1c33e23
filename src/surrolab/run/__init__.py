"""One run: its directory, and how it is built, fitted, tested and resumed.

Nothing is imported here: the directory is made before the heavy imports.
"""
