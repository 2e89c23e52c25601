"""Results of runs: where each came from, under which protocol, and the table of all.

``provenance`` is what :class:`~slic_mmaction.hooks.RunRecordHook` records; ``run`` reads runs
back; ``protocol_of`` says what they evaluate; ``table`` and ``writing`` make the table of
``tools/analysis/results.py``.
"""
