"""Which class is taken for which, drawn in milliseconds: no matplotlib."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK = "#1f2933"
LEFT, TOP, WIDTH, SMALLEST, LARGEST = 64, 44, 440, 4, 44
WITH_NUMBERS = 24
"""Cells of fewer pixels have no number in them."""


def draw_confusion(counts: np.ndarray) -> Image.Image:
    """Rows are the classes of the samples, columns what they were taken for.

    The shade is the share of the row: blue where it is right, orange where it is wrong.

    Args:
        counts: ``[classes, classes]``.
    """
    classes = len(counts)
    cell = max(SMALLEST, min(LARGEST, WIDTH // classes))
    share = counts / np.maximum(1, counts.sum(1, keepdims=True))
    right = np.eye(classes, dtype=bool)[..., None]
    colour = np.where(right, (31, 95, 168), (209, 118, 26))
    pixels = (255 + (colour - 255) * share[..., None]).astype(np.uint8)
    side = cell * classes
    image = Image.new("RGB", (LEFT + side + 12, TOP + side + 12), "white")
    image.paste(Image.fromarray(pixels.repeat(cell, 0).repeat(cell, 1)), (LEFT, TOP))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=12)
    draw.text((LEFT, 4), "taken for", INK, font)
    draw.text((4, TOP - 18), "class", INK, font)
    every = max(1, -(-18 // cell))
    for i in range(0, classes, every):
        middle = i * cell + cell // 2
        draw.text((LEFT + middle, TOP - 4), str(i), INK, font, anchor="ms")
        draw.text((LEFT - 6, TOP + middle), str(i), INK, font, anchor="rm")
    if cell >= WITH_NUMBERS:
        for i, j in zip(*np.nonzero(counts), strict=True):
            shade = "white" if share[i, j] > 0.5 else INK
            at = (LEFT + j * cell + cell // 2, TOP + i * cell + cell // 2)
            draw.text(at, str(counts[i, j]), shade, font, anchor="mm")
    draw.rectangle((LEFT - 1, TOP - 1, LEFT + side, TOP + side), outline="#9aa5b1")
    return image
