"""Spikes and membrane potentials of a few samples, drawn in milliseconds: no matplotlib."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, BLUE, ORANGE, GREY = "#1f2933", "#2f6f9f", "#d1761a", "#9aa5b1"
PALE = (228, 232, 236)
LEFT, GAP, HEAD, FOOT = 104, 16, 24, 34
WIDTH, HEIGHT, TRACE, ROW = 250, 150, 50, 6
"""Pixels: of a sample and of its raster, about; of a trace; and the most of a neuron's row."""


def draw_raster(arrays: Mapping[str, Any], layer: int) -> Image.Image:
    """A column per sample: the layer's spikes above, below them membranes against the threshold.

    Beyond a sample's length the panels are grey.

    Args:
        arrays: of an activity record, see :func:`surrolab.diagnostics.shown_activity`.
        layer: number of the layer in it.
    """
    neurons, traced = arrays[f"neurons_{layer}"], arrays[f"traced_{layer}"]
    packed = np.asarray(arrays[f"spikes_{layer}"])
    spk_TSN = np.unpackbits(packed, axis=-1, count=len(neurons)).astype(bool)
    steps, samples = spk_TSN.shape[:2]
    width = steps * (WIDTH // steps) if steps <= WIDTH else WIDTH
    row = max(1, min(ROW, HEIGHT // len(neurons)))
    tall = row * len(neurons)
    below = HEAD + tall + 6
    foot = below + len(traced) * (TRACE + 4)
    image = Image.new("RGB", (LEFT + samples * (width + GAP), foot + FOOT), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=12)
    draw.text((4, 4), str(arrays["layers"][layer]), INK, font)
    draw.text((4, HEAD), f"neuron {neurons[0]}", INK, font)
    if len(neurons) > 1:
        draw.text((4, HEAD + tall), f"neuron {neurons[-1]}", INK, font, anchor="ld")
    for k, neuron in enumerate(traced):
        y, threshold = below + k * (TRACE + 4), float(arrays[f"threshold_{layer}"][k])
        draw.text((4, y + 8), f"U of {neuron}", BLUE, font)
        draw.text((4, y + 24), f"threshold {threshold:.3g}", ORANGE, font)
    for s in range(samples):
        x, length = LEFT + s * (width + GAP), int(arrays["lengths"][s])
        words = _verdict(arrays["targets"][s], arrays["predictions"][s])
        draw.text((x, 4), f"sample {s}{words}", INK, font)
        pixels = _raster(spk_TSN[:, s], width, length * width // steps).repeat(row, axis=0)
        image.paste(Image.fromarray(pixels), (x, HEAD))
        draw.rectangle((x - 1, HEAD - 1, x + width, HEAD + tall), outline=GREY)
        for k in range(len(traced)):
            mem_TS = np.asarray(arrays[f"membrane_{layer}"])[:, :, k]
            level_TS = np.full(mem_TS.shape, float(arrays[f"threshold_{layer}"][k]))
            if f"level_{layer}" in arrays:
                level_TS = np.asarray(arrays[f"level_{layer}"])[:, :, k]
            span = _span(mem_TS, level_TS, arrays["lengths"])
            box = (x, below + k * (TRACE + 4), width, TRACE)
            _trace(draw, box, mem_TS[:length, s], level_TS[:, s], span, steps)
        draw.text((x, foot), "0", INK, font)
        draw.text((x + width // 2, foot + 12), "time step", INK, font, anchor="ma")
        draw.text((x + width, foot), str(steps), INK, font, anchor="ra")
    return image


def _verdict(target: Any, prediction: Any) -> str:
    if not np.issubdtype(np.asarray(target).dtype, np.integer) or np.ndim(prediction):
        return ""  # no class
    if target == prediction:
        return f": class {target}, right"
    return f": class {target} taken for {prediction}"


def _raster(spk_TN: np.ndarray, width: int, valid: int) -> np.ndarray:
    """Pixels ``[N, width, 3]``; of several steps in a pixel, whether there is a spike in any."""
    steps = len(spk_TN)
    if width >= steps:
        scale = width // steps
        drawn = spk_TN.repeat(scale, axis=0)
        if scale > 2:
            drawn[scale - 1 :: scale] = False  # spikes of two steps stay apart
    else:
        drawn = np.logical_or.reduceat(spk_TN, np.arange(width) * steps // width, axis=0)
    pixels = np.full((spk_TN.shape[1], width, 3), 255, np.uint8)
    pixels[:, valid:] = PALE
    pixels[drawn.T] = (31, 41, 51)
    return pixels


def _span(mem_TS: np.ndarray, level_TS: np.ndarray, lengths: Any) -> tuple[float, float]:
    """What an axis has to hold: the membrane of all samples, rest and the threshold."""
    inside = np.arange(len(mem_TS))[:, None] < np.asarray(lengths)
    valid, levels = (a[inside & np.isfinite(a)] for a in (mem_TS, level_TS))
    threshold = float(levels.max(initial=0.0))
    low, high = min(0.0, valid.min(initial=0.0)), max(threshold, valid.max(initial=threshold))
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _trace(
    draw: ImageDraw.ImageDraw,
    box: tuple[int, int, int, int],
    mem_T: np.ndarray,
    level_T: np.ndarray,
    span: tuple[float, float],
    steps: int,
) -> None:
    x, y, width, height = box
    scale = width / steps
    if len(mem_T) < steps:
        draw.rectangle((x + len(mem_T) * scale, y, x + width, y + height), fill=PALE)

    def up(value: Any) -> Any:
        share = (value - span[0]) / (span[1] - span[0])
        return y + height * (1 - np.nan_to_num(np.clip(share, 0, 1)))

    for dash in range(x, x + width, 8):
        line = up(level_T[min(int((dash - x) / scale), steps - 1)])
        draw.line((dash, line, min(dash + 4, x + width), line), fill=ORANGE)
    points = np.stack([x + (np.arange(len(mem_T)) + 0.5) * scale, up(mem_T)], axis=1)
    draw.line([tuple(point) for point in points.tolist()], fill=BLUE)
    draw.rectangle((x - 1, y, x + width, y + height), outline=GREY)
