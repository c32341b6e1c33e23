"""A further process of a distributed run; started by the first, with its run directory.

Lies in a folder of its own, since Python puts the folder of a script in front of the search path.
"""

import os
import sys
from pathlib import Path


def main() -> int:
    """Run the configuration of the directory named on the command line, as one rank."""
    from surrolab.errors import DivergedError, RunError, UserError
    from surrolab.memory import loading
    from surrolab.run.directory import RunDirectory
    from surrolab.schema import validate

    with loading():
        from surrolab.run.execute import execute

    directory = RunDirectory.existing(Path(sys.argv[1]))
    try:
        return execute(
            validate(directory.read_config()),
            directory,
            resume="resume" in sys.argv[2:],
            watched="watched" in sys.argv[2:],
            rank=int(os.environ["LOCAL_RANK"]),
        )
    except DivergedError:
        return 0  # all meet it in the same step; Lightning kills the first if another fails
    except (UserError, RunError, KeyboardInterrupt):
        return 1  # the first process meets the same and tells it


if __name__ == "__main__":
    sys.exit(main())
