"""Golden runs: a change that should not alter numbers alters none.

``python -m tests.golden.compare OLD NEW`` records two source trees and prints every difference.
``python -m tests.golden.record --write`` rewrites ``losses.json``, which the tests compare with.
"""
