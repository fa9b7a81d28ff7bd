"""The four songs of the tutorial: the same four notes in another order."""

from matplotlib.figure import Figure

SONGS = {
    "riser": [0, 3, 6, 9],
    "faller": [9, 6, 3, 0],
    "weaver": [0, 6, 3, 9],
    "hopper": [0, 3, 9, 6],
}
COLORS = ("#3f9a5c", "#4a86c8", "#b08a1e", "#d4694f")  # those of the report


def draw(ink: str, paper: str) -> Figure:
    figure = Figure(figsize=(6, 1.5), layout="constrained")
    for axes, (name, notes), color in zip(
        figure.subplots(1, 4, sharey=True), SONGS.items(), COLORS, strict=True
    ):
        for i, note in enumerate(notes * 3):
            axes.plot((i, i + 0.85), (note, note), color=color, lw=3, solid_capstyle="round")
        axes.set_title(name, color=ink, fontsize=11)
        axes.set_ylim(-1.5, 10.5)
        axes.axis("off")
    return figure
