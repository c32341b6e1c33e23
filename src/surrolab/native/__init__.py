"""C made at run time for the machine at hand, compiled once and kept on disk."""

from surrolab.native.compiler import THOROUGHLY, CompilerError, available, library

__all__ = ["THOROUGHLY", "CompilerError", "available", "library"]
