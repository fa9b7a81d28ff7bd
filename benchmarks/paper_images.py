"""CPC of images at the sizes of the paper: what a training step costs.

The model of the recipe ``imagenet-cpc`` (section 3.2, van den Oord et al. 2018): 256 pixels, 7 x 7
patches of 64, the first three stages of ResNet-101, 1024 features, five rows below. On the CPU one
step of two images, with activations kept and computed again, each in a process of its own. On a
GPU, where there is one, images a second in bf16 and the share of its peak, after a tiny model has
been held to float64 there.

A peak of memory is said three ways: what the process has in memory at its height (torch itself
included); tensors at theirs (weights, gradients, activations, and Adam's moments); and the same of
loss and gradients alone, since in a batch of two Adam's step may be the height.
"""

import itertools
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import Any

import torch
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import save
from ensue.data.batches import Batch
from ensue.models.cpc import CPC, CPCConfig
from ensue.models.cpc.encoder_config import ResNetPatchConfig
from ensue.runs.recipes import read_recipe

ON_CPU = 2
BATCHES = (16, 32, 64, 128, 256, 512)
STEPS, MOST_SECONDS = 10, 420
ACTIVATIONS = {"kept": False, "computed again": True}
PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Of dense bf16 (the makers' figures); of other GPUs the share isn't said."""


def paper(*, checkpoint: bool) -> CPCConfig:
    """The model of the recipe, with activations kept or computed again."""
    recipe = read_recipe("imagenet-cpc", "cpc")
    (H, W), C = recipe["data"]["crop"], 1 if recipe["data"]["grayscale"] else 3
    settings = {**recipe["model"], "checkpoint": checkpoint}
    return CPCConfig(**settings, shape=(C, H, W), num_tokens=257)


def tiny() -> CPCConfig:
    encoder = ResNetPatchConfig(patch=8, depth=50, resnet_width=4)
    config = replace(paper(checkpoint=False), encoder=encoder, shape=(1, 32, 32))
    return replace(config, channels=16, context_size=8, num_negatives=8)


def training_step(
    config: CPCConfig, num: int, device: str = "cpu", *, adam: bool = True
) -> Callable[[], None]:
    """A function that takes one step of Adam, or gradients alone; bf16 on a GPU."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = CPC(config).train().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4)
    batch = Batch(x=torch.randint(0, 256, (num, *config.shape), dtype=torch.uint8, device=device))

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
            loss = model.loss(batch, step=0)
        loss.mean.backward()
        if adam:
            optimizer.step()

    return step


def step_on_cpu(checkpoint: bool) -> dict[str, float]:
    """CPU seconds of a step, and the most memory that the process ever had."""
    step = training_step(paper(checkpoint=checkpoint), ON_CPU)
    begun = time.process_time()
    step()
    seconds = time.process_time() - begun
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_seconds": round(seconds, 1), "peak_resident_megabytes": round(resident)}


def tensors_on_cpu(checkpoint: bool, adam: bool) -> int:
    """Megabytes of tensors at the height of a step, the weights included."""
    with profile(profile_memory=True, acc_events=True) as profiled:
        training_step(paper(checkpoint=checkpoint), ON_CPU, adam=adam)()
    assert profiled.profiler is not None
    results = profiled.profiler.kineto_results
    assert results is not None
    events = [e for e in results.events() if e.name() == "[memory]"]
    sizes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    return round(max(itertools.accumulate(sizes)) / 2**20)


def on_cpu(checkpoint: bool) -> dict[str, float]:
    return {
        **alone(step_on_cpu, checkpoint),
        "peak_tensor_megabytes_of_gradients": alone(tensors_on_cpu, checkpoint, False),
        "peak_tensor_megabytes": alone(tensors_on_cpu, checkpoint, True),
    }


def flops_of_an_image(checkpoint: bool) -> float:
    """Floating point operations of a step, an image: an addition and a multiplication are two."""
    step = training_step(paper(checkpoint=checkpoint), ON_CPU)
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / ON_CPU


def num_parameters() -> dict[str, int]:
    with torch.device("meta"):
        model = CPC(paper(checkpoint=False))
    parts = {"encoder": model.encoder, "context": model.context, "predictor": model.predictor}
    return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}


def alone(work: Callable[..., Any], *given: Any) -> Any:
    """The result of a function in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def require_exact(device: str) -> dict[str, float]:
    """Hold a tiny model's loss and gradients to float64 of the CPU; return the largest errors."""
    config = tiny()
    torch.manual_seed(0)
    x = torch.randint(0, 256, (4, *config.shape))
    double = CPC(config).double()
    found: dict[str, float] = {}
    expected = _loss_and_gradient(double, x)
    for name, dtype, most in (("float64", torch.float64, 1e-9), ("bf16", None, 0.05)):
        model = CPC(config)
        model.load_state_dict(double.state_dict())
        model = model.to(device, dtype or torch.float32)
        with torch.autocast(device, torch.bfloat16, enabled=dtype is None):
            values = _loss_and_gradient(model, x.to(device))
        errors = [
            float((a.double().cpu() - b).norm() / b.norm())
            for a, b in zip(values, expected, strict=True)
        ]
        assert max(errors) < most, f"{name}: relative errors of loss and gradient are {errors}"
        found[name] = max(errors)
    return found


def _loss_and_gradient(model: CPC, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    loss = model.loss(Batch(x=x), step=0).mean
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return loss.detach(), torch.cat([g.flatten() for g in gradients])


def on_gpu(flops: float) -> dict[str, Any]:
    """Images a second, memory and share of the peak by batch size, until it is full or late."""
    begun = time.perf_counter()
    name = torch.cuda.get_device_name()
    peak = next((p for part, p in PEAK_FLOPS.items() if part in name), None)
    result: dict[str, Any] = {"device": name, "relative_error": require_exact("cuda")}
    for how, checkpoint in ACTIVATIONS.items():
        result[how] = rows = {}
        for num in BATCHES:
            if time.perf_counter() - begun > MOST_SECONDS:
                return {**result, "ended": f"after {MOST_SECONDS} s"}
            try:
                row = _throughput(paper(checkpoint=checkpoint), num)
            except torch.OutOfMemoryError:
                rows[num] = "out of memory"
                break
            if peak is not None:
                row["share_of_peak"] = round(row["images_a_second"] * flops / peak, 4)
            rows[num] = row
            print(how, num, row, flush=True)
    return result


def _throughput(config: CPCConfig, num: int) -> dict[str, float]:
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    step = training_step(config, num, "cuda")
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(STEPS):
        step()
    torch.cuda.synchronize()
    rate = num * STEPS / (time.perf_counter() - begun)
    peak = torch.cuda.max_memory_allocated() / 2**20
    return {"images_a_second": round(rate, 1), "peak_megabytes": round(peak)}


def main() -> None:
    torch.set_num_threads(1)
    result: dict[str, Any] = {"parameters": num_parameters(), "batch": ON_CPU}
    flops = alone(flops_of_an_image, False)
    result["gigaflops_an_image"] = round(flops / 1e9, 1)
    result["cpu"] = {how: on_cpu(checkpoint) for how, checkpoint in ACTIVATIONS.items()}
    result["gpu"] = on_gpu(flops) if torch.cuda.is_available() else "not run: no CUDA device here"
    save("paper_images", result)


if __name__ == "__main__":
    main()
