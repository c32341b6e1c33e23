"""What came out of each result: a module for each, named as its file in sweeps/results.

Each has ``claims`` (rows of the ledger), ``figure`` and ``findings`` (a few sentences), all made of
`surrolab.results.records.Records` alone.
"""
