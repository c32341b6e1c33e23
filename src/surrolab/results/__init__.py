"""Published results, run again: what each needs, the records it leaves, and the ledger of them.

``definition`` reads ``sweeps/results/<result>.yaml``, ``reproduce`` runs its studies and keeps a
record of each run, ``analyses`` say what came out, ``ledger`` makes docs/results of the records.
"""
