r"""Tasks of known information: pairs to draw, and how many nats they share in closed form.

A task draws from a joint distribution whose information is known, then maps x alone and y alone.
The maps are injective, and information is the same after them, however hard the shapes become.

Dims: N pairs, D and E coordinates of x and y.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import digamma, gammaln, ndtr

Map = Callable[[np.ndarray], np.ndarray]
"""(N, D) to (N, D') coordinates, injective."""


class Joint(ABC):
    """Abstract: a distribution of pairs whose information is known."""

    @property
    @abstractmethod
    def information(self) -> float:
        """Mutual information in nats."""

    @abstractmethod
    def sample(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw x (N, D) and y (N, E)."""

    @abstractmethod
    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return log p(x, y) / (p(x) p(y)) of each pair (N,), whose mean is the information."""


@dataclass(frozen=True, eq=False)
class Normal(Joint):
    r"""Normal distribution of mean 0.

    .. math:: I = \frac{1}{2} \log \frac{|\Sigma_x| |\Sigma_y|}{|\Sigma|}

    Args:
        covariance: (D + E, D + E).
        num_x: D.

    Example:
        >>> round(Normal(np.array([[1, 0.75], [0.75, 1]]), 1).information, 4)
        0.4133
    """

    covariance: np.ndarray
    num_x: int

    @property
    def information(self) -> float:
        x, y = self._marginals()
        return (_log_det(x) + _log_det(y) - _log_det(self.covariance)) / 2

    def sample(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        root = np.linalg.cholesky(self.covariance)
        z = rng.standard_normal((num, len(root))) @ root.T
        return z[:, : self.num_x], z[:, self.num_x :]

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        of_x, of_y = self._marginals()
        joint = _squared(np.concatenate([x, y], axis=1), self.covariance)
        return self.information + (_squared(x, of_x) + _squared(y, of_y) - joint) / 2

    def _marginals(self) -> tuple[np.ndarray, np.ndarray]:
        D = self.num_x
        return self.covariance[:D, :D], self.covariance[D:, D:]


@dataclass(frozen=True, eq=False)
class Student(Joint):
    r"""Multivariate Student distribution: x and y of one draw share a scale, and so information.

    .. math:: I = I_{normal} + h(\nu) + h(\nu + D + E) - h(\nu + D) - h(\nu + E), \qquad
              h(t) = \log \Gamma(t / 2) - \frac{t}{2} \psi(t / 2)

    (section 4, Arellano-Valle, Contreras-Reyes, Genton 2013.)

    Args:
        scale: (D + E, D + E).
        num_x: D.
        freedom: Degrees of freedom nu; of one there is no mean, of two no variance.
    """

    scale: np.ndarray
    num_x: int
    freedom: float

    @property
    def information(self) -> float:
        nu, D, both = self.freedom, self.num_x, len(self.scale)
        shared = _h(nu) + _h(nu + both) - _h(nu + D) - _h(nu + both - D)
        return self._normal.information + shared

    def sample(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x, y = self._normal.sample(num, rng)
        wide = np.sqrt(self.freedom / rng.chisquare(self.freedom, (num, 1)))
        return x * wide, y * wide

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        of_x, of_y = self._normal._marginals()
        joint = self._log_density(np.concatenate([x, y], axis=1), self.scale)
        return joint - self._log_density(x, of_x) - self._log_density(y, of_y)

    def _log_density(self, x: np.ndarray, scale: np.ndarray) -> np.ndarray:
        nu, D = self.freedom, len(scale)
        constant = gammaln((nu + D) / 2) - gammaln(nu / 2) - D / 2 * math.log(nu * math.pi)
        spread = np.log1p(_squared(x, scale) / nu)
        return constant - _log_det(scale) / 2 - (nu + D) / 2 * spread

    @property
    def _normal(self) -> Normal:
        return Normal(self.scale, self.num_x)


@dataclass(frozen=True)
class UniformNoise(Joint):
    r"""x uniform from 0 to 1, and y = x + noise, uniform from -epsilon to epsilon.

    .. math:: I = \epsilon - \log 2 \epsilon \quad (\epsilon \le 1/2), \qquad
              I = \frac{1}{4 \epsilon} \quad (\epsilon \ge 1/2)

    Args:
        epsilon: Half the width of the noise.

    Example:
        >>> UniformNoise(0.5).information
        0.5
    """

    epsilon: float

    @property
    def information(self) -> float:
        e = self.epsilon
        return e - math.log(2 * e) if e <= 0.5 else 1 / (4 * e)

    def sample(self, num: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.uniform(size=(num, 1))
        return x, x + rng.uniform(-self.epsilon, self.epsilon, (num, 1))

    def log_ratio(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        # The density of y is the part of [y - e, y + e] within [0, 1], over 2 e.
        inside = np.minimum(y + self.epsilon, 1) - np.maximum(y - self.epsilon, 0)
        return -np.log(inside[:, 0])


@dataclass(frozen=True, kw_only=True)
class Task:
    """Pairs of known information.

    Attributes:
        name: Of the task.
        joint: What is drawn.
        of_x: Applied to x.
        of_y: Applied to y.
    """

    name: str
    joint: Joint
    of_x: Map = field(default=lambda x: x)
    of_y: Map = field(default=lambda y: y)

    @property
    def information(self) -> float:
        """Mutual information in nats."""
        return self.joint.information

    def sample(self, num: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draw x (N, D) and y (N, E).

        Example:
            >>> x, y = TASKS["normal 5x5, two pairs"].sample(100)
            >>> x.shape, y.shape
            ((100, 5), (100, 5))
        """
        x, y = self.joint.sample(num, np.random.default_rng(seed))
        return self.of_x(x), self.of_y(y)


def dense(size: int, correlation: float) -> np.ndarray:
    """Covariance (2 size, 2 size): every two coordinates have one correlation."""
    return np.full((2 * size, 2 * size), correlation) + (1 - correlation) * np.eye(2 * size)


def pairs(size: int, num: int, correlation: float) -> np.ndarray:
    """Covariance (2 size, 2 size): x_i and y_i have a correlation for i below ``num``."""
    covariance = np.eye(2 * size)
    for i in range(num):
        covariance[i, size + i] = covariance[size + i, i] = correlation
    return covariance


def correlation_of(information: float, size: int) -> float:
    r"""Correlation of ``size`` pairs that share this information: :math:`\sqrt{1 - e^{-2 I / d}}`.

    Example:
        >>> correlation = correlation_of(2.0, 20)
        >>> round(Normal(pairs(20, 20, correlation), 20).information, 6)
        2.0
    """
    return math.sqrt(1 - math.exp(-2 * information / size))


def half_cube(x: np.ndarray) -> np.ndarray:
    """``x |x|^(1/2)``, which has longer tails."""
    return x * np.sqrt(np.abs(x))


def cube(x: np.ndarray) -> np.ndarray:
    """``x^3``."""
    return x**3


def wiggly(x: np.ndarray) -> np.ndarray:
    """x + sin(1.5 x) / 2, which rises everywhere, by 1/4 at least."""
    return x + np.sin(1.5 * x) / 2


def bimodal(x: np.ndarray) -> np.ndarray:
    """x / 4 + 2 tanh 3x, which rises everywhere and leaves little in the middle."""
    return x / 4 + 2 * np.tanh(3 * x)


def swiss_roll(x: np.ndarray) -> np.ndarray:
    """A line (N, 1) rolled up in the plane (N, 2)."""
    t = 1.5 * math.pi * (1 + 2 * ndtr(x[:, 0]))
    return np.stack([t * np.cos(t), t * np.sin(t)], axis=1) / 10


def spiral(x: np.ndarray) -> np.ndarray:
    """The first two coordinates turned by the squared length of x over D, in radians."""
    angle = (x**2).sum(1) / x.shape[1]
    cos, sin = np.cos(angle), np.sin(angle)
    turned = x.copy()
    turned[:, 0] = cos * x[:, 0] - sin * x[:, 1]
    turned[:, 1] = sin * x[:, 0] + cos * x[:, 1]
    return turned


def _log_det(matrix: np.ndarray) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def _squared(x: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(N,) squared lengths of x in units of the covariance."""
    return (x * np.linalg.solve(covariance, x.T).T).sum(1)


def _h(t: float) -> float:
    return float(gammaln(t / 2) - t / 2 * digamma(t / 2))


def _two_of(size: int) -> Normal:
    return Normal(pairs(size, 2, 0.8), size)


def _student(size: int, num: int, freedom: float) -> Student:
    return Student(pairs(size, num, 0.8), size, freedom)


def _stairs(information: float) -> Normal:
    return Normal(pairs(20, 20, correlation_of(information, 20)), 20)


def _of_one_coordinate() -> list[Task]:
    one = Normal(pairs(1, 1, 0.75), 1)
    return [
        Task(name="normal 1x1", joint=one),
        Task(name="normal 1x1, strong", joint=Normal(pairs(1, 1, 0.95), 1)),
        Task(name="uniform margins 1x1", joint=one, of_x=ndtr, of_y=ndtr),
        Task(name="half-cube 1x1", joint=one, of_x=half_cube, of_y=half_cube),
        Task(name="wiggly 1x1", joint=one, of_x=wiggly, of_y=wiggly),
        Task(name="bimodal 1x1", joint=one, of_x=bimodal, of_y=bimodal),
        Task(name="swiss roll 2x1", joint=one, of_x=swiss_roll),
        Task(name="uniform noise 0.1", joint=UniformNoise(0.1)),
        Task(name="uniform noise 0.75", joint=UniformNoise(0.75)),
    ]


def _of_heavy_tails() -> list[Task]:
    plain = [
        Task(name="student 1x1, 1 degree", joint=_student(1, 0, 1)),
        Task(name="student 2x2, 1 degree", joint=_student(2, 0, 1)),
        Task(name="student 2x2, 2 degrees", joint=_student(2, 0, 2)),
        Task(name="student 3x3, two pairs, 2 degrees", joint=_student(3, 2, 2)),
        Task(name="student 5x5, two pairs, 3 degrees", joint=_student(5, 2, 3)),
    ]
    mapped = [
        Task(name=f"asinh of {task.name}", joint=task.joint, of_x=np.arcsinh, of_y=np.arcsinh)
        for task in (plain[0], *plain[3:])
    ]
    return [*plain, *mapped]


def _of_many_coordinates() -> list[Task]:
    sizes = (2, 3, 5, 25, 50)
    return [
        *(Task(name=f"normal {n}x{n}, dense", joint=Normal(dense(n, 0.5), n)) for n in sizes),
        *(Task(name=f"normal {n}x{n}, two pairs", joint=_two_of(n)) for n in sizes),
        *(
            Task(
                name=f"half-cube {n}x{n}, two pairs",
                joint=_two_of(n),
                of_x=half_cube,
                of_y=half_cube,
            )
            for n in (5, 25)
        ),
        *(
            Task(name=f"spiral {n}x{n}, two pairs", joint=_two_of(n), of_x=spiral)
            for n in (3, 5, 25)
        ),
    ]


def _of_much_information() -> list[Task]:
    nats = (2, 4, 6, 8)
    return [
        *(Task(name=f"stairs 20x20, {i} nats", joint=_stairs(i)) for i in nats),
        *(Task(name=f"cube of stairs 20x20, {i} nats", joint=_stairs(i), of_y=cube) for i in nats),
    ]


TASKS = {
    task.name: task
    for task in (
        *_of_one_coordinate(),
        *_of_heavy_tails(),
        *_of_many_coordinates(),
        *_of_much_information(),
    )
}
"""The 40 tasks by name."""
