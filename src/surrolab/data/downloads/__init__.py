"""Files of published sets, fetched only when that is asked for."""

from surrolab.data.downloads.fetch import MIRRORS, provide
from surrolab.data.downloads.published import Published, Remote

__all__ = ["MIRRORS", "Published", "Remote", "provide"]
