"""Simple features of images, the baselines of a probe.

``hog.py`` has histograms of oriented gradients, ``patches.py`` k-means features of patches, and
``baselines.py`` offers both, and the pixels themselves, as features of a store's items.
"""

from ensue.evaluation.images.baselines import by_hog, by_patches, by_pixels, image_baselines
from ensue.evaluation.images.hog import hog
from ensue.evaluation.images.patches import Dictionary, learn_dictionary, patches_of

__all__ = [
    "Dictionary",
    "by_hog",
    "by_patches",
    "by_pixels",
    "hog",
    "image_baselines",
    "learn_dictionary",
    "patches_of",
]
