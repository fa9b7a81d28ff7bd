"""Runs: from settings and data to a trained model in a folder, and from the folder back.

A run is planned (``plan``, ``recipes``, ``lengths``), given its data (``prepare``), continued
(``resume``), loaded (``loaded``) and applied to other data (``reading``); its results are written
(``tables``, ``writers``) and shown (``results``). The commands are in ``ensue.verbs``.
"""
