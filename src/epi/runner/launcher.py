"""How a kernel starts: confined first, then an ordinary IPython kernel."""

from __future__ import annotations

import sys


def main() -> None:
    """Put the layers on, then become the kernel that the command line describes."""
    from epi.runner.confinement import confine

    confine()
    _add_study_folder()
    from ipykernel import iostream, kernelapp

    class WithoutPort(iostream.IOPubThread):
        """An output thread that does not listen on a port for what forked processes print."""

        def __init__(self, socket: object, pipe: bool = False, session: object = False) -> None:
            super().__init__(socket, pipe=False, session=session)

    kernelapp.IOPubThread = WithoutPort  # type: ignore[misc]
    kernelapp.launch_new_instance()


def _add_study_folder() -> None:
    """Let notebooks import the modules beside them, after the standard library, as IPython does without ``-P``."""
    libraries = (place for place, path in enumerate(sys.path) if path.endswith(("site-packages", "dist-packages")))
    sys.path.insert(next(libraries, 0), "")


if __name__ == "__main__":
    main()
