"""Numbers from what they are for: uniform, and different for other items, steps and places."""

import torch

from ensue.nn.hashed import uniform_of


def test_numbers_are_uniform_and_do_not_hang_together(seed: int) -> None:
    items = torch.randint(0, 3, (20_000, 8)).unique(dim=0)
    drawn = torch.stack([uniform_of(items, step, 3) for step in range(4)], 1).flatten(1)
    num = len(items)
    assert float((drawn.mean(0) - 0.5).abs().max()) < 5 / (12 * num) ** 0.5
    assert float((drawn.var(0) - 1 / 12).abs().max()) < 5 / (180 * num) ** 0.5
    hang = torch.corrcoef(drawn.T) - torch.eye(12)
    assert float(hang.abs().max()) < 5 / num**0.5
    assert len(drawn.unique()) == drawn.numel()


def test_numbers_are_of_the_item_alone(seed: int) -> None:
    items = torch.randint(0, 256, (9, 5))
    whole, order = uniform_of(items, 7, 4), torch.randperm(9)
    assert torch.equal(uniform_of(items[order], 7, 4), whole[order])
    assert torch.equal(uniform_of(items.to(torch.uint8), 7, 4), whole)
