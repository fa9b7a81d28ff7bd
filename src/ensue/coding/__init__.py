"""Lossless compression: items that a model finds likely take few bits.

``coder`` turns sequences into bits and back, ``container`` is the file; ``compress`` and
``decompress`` are the commands.
No other package of Ensue imports this one.
"""
