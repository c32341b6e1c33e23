"""``surrolab data --cache``: the binned events that are kept, and how to be rid of them."""

from datetime import datetime
from pathlib import Path

from surrolab.errors import UserError

ROOT = "data.root="


def show(words: list[str], clear: bool) -> int:
    """List what is kept under ``data.root``, or remove what no process uses; the exit status.

    Args:
        words: nothing, or ``data.root=DIR``.
        clear: whether to remove it.

    Raises:
        UserError: there are other words, or the folder is none.
    """
    option = "--clear-cache" if clear else "--cache"
    if len(words) > 1 or not all(word.startswith(ROOT) for word in words):
        raise UserError(f"{option}: {' '.join(words)!r} beside it; allowed: nothing, or {ROOT}DIR")
    from surrolab.data.checks import folder
    from surrolab.data.events.cache import EventCache

    try:
        root = folder("data.root", words[0].removeprefix(ROOT) if words else None)
    except ValueError as error:
        raise UserError(str(error)) from None
    cache = EventCache(root)
    if clear:
        removed, left = cache.clear()
        used = f"; {left} in use stayed" if left else ""
        print(f"{_folder(cache.folder)}: {removed} removed{used}")
        return 0
    kept = cache.kept()
    total = sum(one.nbytes for one in kept)
    print(
        f"{_folder(cache.folder)}: {len(kept)} kept, {total / 1e9:.2f} GB of at most "
        f"{cache.limit / 1e9:g} GB"
    )
    for one in kept:
        used_at = datetime.fromtimestamp(one.used).strftime("%Y-%m-%d %H:%M")
        print(f"  {one.path.name}  {one.nbytes / 1e6:9.1f} MB  {used_at}  {one.about}")
    return 0


def _folder(path: Path) -> str:
    return f"binned events in {path}"
