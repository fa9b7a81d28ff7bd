"""The learning rate at each step: a linear rise, then half a cosine down to zero, or none."""

import math

from ensue.training.config import TrainingConfig


def rate(config: TrainingConfig, step: int) -> float:
    r"""Return the learning rate of a step, as a share of the peak.

    .. math:: \min\Bigl(1, \frac{s + 1}{W}\Bigr) \cdot
        \frac12 \Bigl(1 + \cos \pi \frac{s - W}{S - W}\Bigr)

    at step s of S with W steps of warm-up; the cosine is 1 before W, and throughout where the
    schedule is constant.

    Example:
        >>> config = TrainingConfig(max_steps=100, warmup_steps=20)
        >>> [round(rate(config, step), 3) for step in (0, 19, 60, 100)]
        [0.05, 1.0, 0.5, 0.0]
    """
    rise = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.schedule == "constant":
        return rise
    length = max(1, config.max_steps - config.warmup_steps)
    done = max(0, step - config.warmup_steps) / length
    return rise * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
