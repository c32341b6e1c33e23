"""One site from many run and sweep directories: an index, a page for each run, and sweeps."""

from surrolab.report.site.discover import discover
from surrolab.report.site.site import Site, Written, write_site

__all__ = ["Site", "Written", "discover", "write_site"]
