"""Lossless compression: what a model finds likely takes few bits.

``coder`` turns sequences into bits and back, ``container`` is the file; ``compress`` and
``decompress`` are the commands.
Nothing else in the house imports this room.
"""
