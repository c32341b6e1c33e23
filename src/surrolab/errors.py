"""The two ways in which a command ends badly and says so in one line."""


class UserError(Exception):
    """Something the user can put right: names the option and what is allowed. Exit status 2."""


class HeldError(UserError):
    """Another process runs in the run directory."""


class RunError(Exception):
    """A run that cannot go on, such as one whose loss is no longer finite. Exit status 1."""


class DivergedError(RunError):
    """Numbers of the run that are no longer finite."""


def one_line(error: BaseException) -> str:
    """The message of an error on a single line, or its type's name where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
