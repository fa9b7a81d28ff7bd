"""The survey of images: sizes, gray or color, ones that come twice, ones that can't be read."""

from collections import Counter
from collections.abc import Callable

from ensue.data.config import DataConfig
from ensue.data.crops import Size, require_fits
from ensue.data.items import Items
from ensue.data.kinds.image.pixels import WHITE, has_more, largest_of, opened
from ensue.data.surveyed import Surveyed, repeated
from ensue.errors import ConfigError, DataError


def survey_image(items: Items, config: DataConfig, on_item: Callable[[], None]) -> Surveyed:
    """Every image, read once."""
    unreadable, sizes, modes = [], Counter[Size](), Counter[str]()
    seen: dict[int, int] = {}
    twice, deep, several = [], [], []
    for number, (name, raw) in enumerate(zip(items.ids, items.raw, strict=True)):
        try:
            image = opened(raw, config.white)
            deep.append(largest_of(raw))
            several += [name] * has_more(raw)
        except DataError as error:
            unreadable.append((name, str(error)))
            continue
        finally:
            on_item()
        sizes[image.height, image.width] += 1
        modes["gray" if image.mode == "L" else "color"] += 1
        first = seen.setdefault(hash((image.size, image.tobytes())), number)
        if first != number:
            twice.append((items.ids[first], name))
    facts = [
        ("pixels, height x width", _listed(_told(sizes))),
        ("gray or color", _listed(modes)),
    ]
    return Surveyed(
        facts=facts if sizes else [],
        unreadable=unreadable,
        findings=[
            *_sizes(sizes, config),
            *_crops(sizes, config),
            *_several(several),
            *_modes(modes, config),
            *_dark(deep, config),
            *repeated("images", twice),
        ],
    )


def _listed(counts: Counter[str], most: int = 4) -> str:
    named = [f"{what} ({num:,})" for what, num in counts.most_common(most)]
    more = len(counts) - most
    return ", ".join(named) + (f" and {more} others" if more > 0 else "")


def _told(sizes: Counter[Size]) -> Counter[str]:
    return Counter({f"{height} x {width}": num for (height, width), num in sizes.items()})


def _crops(sizes: Counter[Size], config: DataConfig) -> list[str]:
    """A finding where the crop is larger than the images, once they are resized."""
    for size in [config.image_size] if config.image_size else sizes:
        try:
            require_fits(config.crop, size)
        except ConfigError as error:
            return [str(error)]
    return []


def _sizes(sizes: Counter[Size], config: DataConfig) -> list[str]:
    if len(sizes) < 2 or config.image_size:
        return []
    return [f"images have {len(sizes)} sizes; give one with image_size, such as 32,32"]


def _several(names: list[str]) -> list[str]:
    if not names:
        return []
    return [
        f"{len(names)} files hold several pictures (animations, pages), such as {names[0]!r}; the "
        "first of each is used; save the others as files of their own to use them too"
    ]


def _modes(modes: Counter[str], config: DataConfig) -> list[str]:
    if len(modes) < 2 or config.grayscale:
        return []
    return [
        "some images are gray and some in color; all become what most are, or gray with grayscale"
    ]


def _dark(largest: list[int | None], config: DataConfig) -> list[str]:
    """Images of more than 8 bits that use the lower half of them, or less."""
    deep = [value for value in largest if value is not None]
    most = max(deep, default=0)
    if config.white or not 0 < 2 * most <= WHITE:
        return []
    white = max(2 ** most.bit_length() - 1, 511)
    return [
        f"{len(deep)} images of 16 bits have no value above {most:,} of {WHITE:,} and come out "
        f"dark; --white {white} makes that white (color of 16 bits: save it in 8)"
    ]
