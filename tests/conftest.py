"""What all tests share."""

import warnings
from collections.abc import Iterator

import pytest
import torch

with warnings.catch_warnings():
    # Its own imports warn; a test shouldn't fail because of which test imports it first.
    warnings.simplefilter("ignore")
    import lightning.pytorch  # noqa: F401


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order only: bit-equality laws hold for equal thread counts."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed drawn anew each time, and shown when the test fails."""
    drawn = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(torch.seed())))
    request.node.user_properties.append(("seed", drawn))
    print(f"seed={drawn}")
    torch.manual_seed(drawn)
    return drawn
