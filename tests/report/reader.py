"""What a reader of the index does, and what is there to see."""

import json

DRAWN = "document.querySelectorAll('[data-figure]:not([data-drawn])').length === 0"
SHOWN = "[...document.querySelectorAll('#table tbody tr')].filter((row) => !row.hidden)"
# Of traces in the curves, names without those of bands.
CURVES = "(document.querySelector('[data-figure=curves-0]')?.data ?? [])"  # none until drawn
LINES = f"{CURVES}.map((t) => t.name).filter(Boolean)"


def column(tab, head):
    """Texts of a column, of the rows that are shown."""
    return tab.evaluate(
        f"""(() => {{
          const heads = [...document.querySelectorAll('#table thead th')];
          const place = heads.findIndex((one) => one.textContent === {json.dumps(head)});
          return {SHOWN}.map((row) => row.cells[place].textContent);
        }})()"""
    )


def press(tab, head, table="#table"):
    tab.evaluate(
        f"[...document.querySelectorAll('{table} thead button')]"
        f".find((one) => one.textContent === {json.dumps(head)}).click()"
    )


def find(tab, words):
    tab.evaluate(
        f"""(() => {{
          const field = document.getElementById('find');
          field.value = {json.dumps(words)};
          field.dispatchEvent(new Event('input', {{ bubbles: true }}));
        }})()"""
    )
