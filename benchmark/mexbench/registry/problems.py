"""What is wrong with a plugin distribution, and how its errors are caught."""

from __future__ import annotations

from typing import NamedTuple


class PluginProblem(NamedTuple):
    """Something wrong with a plugin distribution."""

    distribution: str
    message: str

    def __str__(self) -> str:
        """Name the distribution at fault, then what is wrong with it."""
        return f"plugin distribution {self.distribution}: {self.message}"


class ErrorTrap:
    """Runs third-party code in its ``with`` block and keeps the error as ``text``; empty where there was none."""

    text = ""

    def __enter__(self) -> ErrorTrap:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        del kind, trace
        # SystemExit too: a plugin that calls sys.exit() while it is imported must not end the program.
        if error is None or not isinstance(error, (Exception, SystemExit)):
            return False
        import traceback  # half of what importing this module would cost, and bench --help imports it

        self.text = f"{type(error).__name__}: {error}"
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
        if frames and not isinstance(error, SyntaxError):  # whose text names the place already
            self.text += f" ({frames[-1].filename}, line {frames[-1].lineno})"
        return True
