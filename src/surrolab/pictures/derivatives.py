"""Surrogates as they are at a moment of training, drawn in milliseconds: no matplotlib."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from surrolab.pictures.portrait import REACH, Axis, curves, unlearned
from surrolab.surrogates import Surrogate

INK, BLUE, GREY = "#1f2933", "#1f5fa8", "#9aa5b1"
WIDTH, HEIGHT, LEFT, TOP, FOOT, COLUMNS = 240, 170, 44, 40, 40, 4


def draw_derivatives(surrogates: Mapping[str, Surrogate]) -> Image.Image:
    """A panel per layer with the derivative on common axes, and the window shaded.

    The vertical axis is linear up to 1 and logarithmic beyond, as in the run's own picture.

    Args:
        surrogates: by layer; of those learned per neuron the mean is drawn.
    """
    points = {name: curves(surrogate) for name, surrogate in surrogates.items()}
    axis = Axis.over(points.values())
    columns = min(COLUMNS, len(points))
    rows = -(-len(points) // columns)
    size = (columns * (LEFT + WIDTH + 12), rows * (TOP + HEIGHT + FOOT))
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=12)
    for number, (name, curve) in enumerate(points.items()):
        x = LEFT + (number % columns) * (LEFT + WIDTH + 12)
        y = TOP + (number // columns) * (TOP + HEIGHT + FOOT)
        plain = unlearned(surrogates[name])
        draw.text((x, y - 36), name, INK, font)
        draw.text((x, y - 20), f"slope {plain.slope:.4g}, scale {plain.scale:.4g}", INK, font)
        middle = x + WIDTH / 2
        half = min(float(plain.window), REACH) / REACH * WIDTH / 2
        draw.rectangle((middle - half, y, middle + half, y + HEIGHT), fill=(230, 237, 245))
        for tick in axis.ticks:
            height = y + HEIGHT * (1 - float(axis.share(np.array(tick))))
            draw.line((x - 4, height, x, height), GREY)
            draw.text((x - 8, height), f"{tick:g}", INK, font, anchor="rm")
        up = y + HEIGHT * (1 - axis.share(curve.derivative))
        along = middle + curve.x / REACH * WIDTH / 2
        draw.line(list(zip(along.tolist(), up.tolist(), strict=True)), BLUE, width=2)
        draw.rectangle((x, y, x + WIDTH, y + HEIGHT), outline=GREY)
        for value in (-1, 0, 1):
            at = middle + value / REACH * WIDTH / 2
            draw.text((at, y + HEIGHT + 4), str(value), INK, font, anchor="ma")
        words = "membrane potential minus threshold"
        draw.text((middle, y + HEIGHT + 20), words, INK, font, anchor="ma")
    return image
