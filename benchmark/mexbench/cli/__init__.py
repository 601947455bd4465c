"""The command ``bench``. Each command is a module with ``add_arguments`` and ``run``, imported when it is asked for."""

from __future__ import annotations

import argparse
import functools
import importlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

from mexbench import devices
from mexbench.errors import BenchError, check_name
from mexbench.evaluation.streams import lasting_streams, open_missing_descriptors

#: Built-in command -> (its module, its line in ``bench --help``). Plugins add others by the hook ``bench_commands``.
COMMANDS = {
    "run": ("mexbench.cli.run", "run a config: train, test, score, write a leaderboard"),
    "check": ("mexbench.cli.check", "check a config and its data without training anything"),
    "audit": ("mexbench.cli.audit", "show what each kind of leak would add to a config's honest scores"),
    "configs": ("mexbench.cli.configs", "list the configs that come with mexbench, or copy one"),
    "list": ("mexbench.cli.list_plugins", "list datasets, preprocessors, models, protocols and observers"),
    "info": ("mexbench.cli.info", "show a plugin: what it is, its parameters, where it comes from"),
    "data": ("mexbench.cli.data", "say where data sets come from, verify a copy, fetch a public pack"),
    "score": ("mexbench.cli.score", "score predictions made elsewhere: a CSV or a MEGC2019 log"),
    "import-weights": (
        "mexbench.cli.import_weights",
        "make saved models of published PyTorch weights, one per subject",
    ),
    "evaluate-saved": ("mexbench.cli.evaluate_saved", "score saved models on the subjects that they left out"),
    "predict": ("mexbench.cli.predict", "say what a saved model sees in films, window by window"),
    "fetch-videos": ("mexbench.cli.fetch_videos", "fetch the films that a list of clips names"),
    "compare": ("mexbench.cli.compare", "compare two runs: config, samples, a paired test"),
    "leaderboard": ("mexbench.cli.leaderboard", "define, submit, verify and render leaderboards"),
    "analyse": (
        "mexbench.cli.analyse",
        "sub-divide action units, describe a case study, compare models or optical flow",
    ),
    "site": ("mexbench.cli.site", "write the leaderboards as a static web page"),
    "claims": ("mexbench.cli.claims", "judge published figures: can any confusion matrix give them?"),
    "papers": ("mexbench.cli.papers", "put what papers claim beside what runs of their configs measured"),
    "cache": ("mexbench.cli.cache", "show or clear what is kept of pre-processed samples"),
    "new": (
        "mexbench.cli.new",
        "write a plugin to start from: a model, dataset, preprocessor, protocol or observer",
    ),
    "test-plugin": ("mexbench.cli.test_plugin", "check that a plugin keeps what its interface promises"),
    "schema": ("mexbench.cli.schema", "print the JSON Schema of a config, for editors"),
    "sys-info": ("mexbench.cli.sys_info", "print versions, devices and extras, for bug reports"),
    "completion": ("mexbench.cli.completion", "print what completes commands in bash, zsh or fish"),
}
#: How ``bench --help`` groups them; commands of plugins follow.
GROUPS = {
    "Run": ("run", "check", "audit", "configs", "score", "predict", "evaluate-saved", "import-weights"),
    "Look": ("list", "info", "compare", "analyse", "data", "fetch-videos", "cache", "sys-info"),
    "Publish": ("leaderboard", "site", "claims", "papers"),
    "Contribute": ("new", "test-plugin", "schema", "completion"),
}
EXIT_CODES = "Exit codes: 0 done, 1 some tasks failed or are missing, 2 bad input, 130 stopped by Ctrl-C or SIGTERM."

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done, 1 some tasks failed or are missing, 2 bad input, 130 stopped by Ctrl-C or SIGTERM.
    """
    devices.use_one_thread()  # before numpy is loaded
    open_missing_descriptors()
    arguments = list(sys.argv[1:] if argv is None else argv)
    with lasting_streams() as streams:
        code = _main(arguments)
        for stream in streams:
            stream.flush()
        if (error := next((one.error for one in streams if one.error), None)) is None:
            return code
        print(f"error: the output could not be written: {error.strerror or error}", file=sys.stderr)
        return code or BAD_INPUT


def _main(arguments: Sequence[str]) -> int:
    try:
        _check_text(arguments)
        parser, module = _parser(arguments[0] if arguments else None)
        options, rest = parser.parse_known_args(arguments)
        if rest:
            raise BenchError(_unexpected(arguments, rest))
        options = _with_home(options)
        with _sigterm_as_ctrl_c():
            return module.run(options) if module else BAD_INPUT  # without a module the parser has exited already
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED


def _check_text(arguments: Sequence[str]) -> None:
    """Refuse an argument that is not UTF-8, before it reaches a file of results.

    Raises:
        DataError: The text shows its bytes.
    """
    for argument in arguments:
        check_name(argument)


def _with_home(options: argparse.Namespace) -> argparse.Namespace:
    """Write out the home folder in every path: a shell does not in ``--out=~/run``."""
    from pathlib import Path  # 'bench --help' ends before, and shall not wait for it

    from mexbench.files import expand_home

    for name, value in vars(options).items():
        if isinstance(value, Path):
            setattr(options, name, expand_home(value))
        elif isinstance(value, list) and any(isinstance(one, Path) for one in value):
            setattr(options, name, [expand_home(one) if isinstance(one, Path) else one for one in value])
    return options


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, a batch system's warning, stop a command as Ctrl-C does, once: reports are being written then."""

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # no signal reaches any other
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser(command: str | None) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """Return the parser, with the options of one command, and that command's module; None where there is none.

    Raises:
        PluginError: The command is a plugin's and cannot be imported.
    """
    added = {} if command in COMMANDS else _plugin_commands()  # a built-in one needs no look at the plugins
    if command is not None and not command.startswith("-") and command not in {**COMMANDS, **added}:
        from mexbench.errors import unknown

        raise BenchError(f"{unknown('command', command, {**COMMANDS, **added})}; 'bench --help' says what they do")
    parser = argparse.ArgumentParser(
        prog="bench",
        usage="bench [-h] [--version] COMMAND ...",
        description="Evaluate micro-expression recognition honestly: subject-independent protocols, pooled scores, "
        "intervals over subjects.",
        epilog=_grouped({name: summary for name, (_, summary) in {**COMMANDS, **added}.items()}),
        formatter_class=_Formatter,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, help=argparse.SUPPRESS)
    module: ModuleType | None = None
    for name, (_, summary) in {**COMMANDS, **added}.items():
        description = f"{summary[0].upper()}{summary[1:]}{'' if summary.endswith('?') else '.'}"
        if name == command:  # the others' options are not needed to say that they exist
            subparser = subparsers.add_parser(name, prog=f"bench {name}", description=description, epilog=EXIT_CODES)
            module = added[name][0]() if name in added else importlib.import_module(COMMANDS[name][0])
            module.add_arguments(subparser)
    return parser, module


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves the groups of commands as they are, and wraps what comes before them."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "\n".join(self._line(line, width) for line in text.splitlines())
        return argparse.HelpFormatter._fill_text(self, text, width, indent)

    @staticmethod
    def _line(line: str, width: int) -> str:
        import textwrap

        name, tab, summary = line.partition("\t")
        if not tab:
            return textwrap.fill(line, width)
        return textwrap.fill(summary, width, initial_indent=f"  {name:<16}", subsequent_indent=" " * 18)


def _grouped(summaries: Mapping[str, str]) -> str:
    """Return the list of commands by group, a tab between a name and its line."""
    grouped = {name for names in GROUPS.values() for name in names}
    of_plugins = tuple(name for name in summaries if name not in grouped)
    lines = []
    for title, names in {**GROUPS, **({"Of plugins": of_plugins} if of_plugins else {})}.items():
        lines += [f"{title}:", *(f"{name}\t{summaries[name]}" for name in names), ""]
    return "\n".join([*lines, "'bench COMMAND --help' shows the options of a command.", EXIT_CODES])


def _unexpected(arguments: Sequence[str], rest: Sequence[str]) -> str:
    """Describe arguments that a command does not take: mostly a list that the shell has split, or a misspelt option."""
    from mexbench.errors import suggest

    first = rest[0]
    start = next(
        (word for word in arguments if word.count("[") > word.count("]") or word.count("{") > word.count("}")), ""
    )
    if start:
        words = arguments[arguments.index(start) :]
        joined = " ".join(words[: next((i for i, word in enumerate(words) if word[-1:] in "]}"), len(words)) + 1])
        return f"{first!r} is the rest of a value that the shell has split: put it in quotes, as in --set '{joined}'"
    if first.startswith("-"):
        name = first.partition("=")[0]
        options = [option for option in _options(arguments[0]) if option.startswith("--")]
        values = "; values of the config are set by --set, such as --set seeds=[0,1]" if "--set" in options else ""
        return f"unknown option {name!r}{suggest(name, options)}; 'bench {arguments[0]} --help' lists them{values}"
    return f"unexpected argument {first!r}; 'bench {arguments[0]} --help' shows what the command takes"


def _is_open(word: str) -> bool:
    return word.count("[") > word.count("]") or word.count("{") > word.count("}")


def _options(command: str) -> list[str]:
    parser = argparse.ArgumentParser(add_help=False)
    if command in COMMANDS:
        importlib.import_module(COMMANDS[command][0]).add_arguments(parser)
    return [option for action in parser._actions for option in action.option_strings]


def _plugin_commands() -> dict[str, tuple[Callable[[], ModuleType], str]]:
    """Return the commands of plugins: name -> what imports the module, and the line in ``bench --help``."""
    from mexbench.registry.commands import find_commands, import_command

    commands, problems = find_commands(reserved=COMMANDS)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    return {
        name: (functools.partial(import_command, command), command.summary)
        for name, command in sorted(commands.items())
    }


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # slow, and seldom asked for

        print(f"mexbench {version('mexbench')}")
        parser.exit()
