"""What diagnostics found, in numbers that are logged and in words."""

from surrolab.diagnostics.alignment import Alignment, Comparison

REFERENCES = ("smoothed_fixed", "smoothed_matched", "escape_fixed", "escape_matched")


def scalars(alignment: Alignment) -> dict[str, float]:
    """``alignment/<layer>/<reference>_cosine``, ``_signs`` and ``_norm_ratio``, where there are."""
    found = {}
    for reference in REFERENCES:
        comparison: Comparison = getattr(alignment, reference)
        for layer, agreement in (comparison.layers or {}).items():
            for what in ("cosine", "signs", "norm_ratio"):
                value = getattr(agreement, what)
                if value is not None:
                    found[f"alignment/{layer}/{reference}_{what}"] = float(value)
    return found
