"""Drawings made from surrogates.

Nothing is imported here: the page needs no matplotlib, and the run's picture no template.
"""
