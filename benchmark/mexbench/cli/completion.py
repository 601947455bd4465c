"""``bench completion bash|zsh|fish``: what a shell needs to complete commands and options."""

from __future__ import annotations

import argparse
import importlib

from mexbench import cli

_USE = {
    "bash": 'source <(bench completion bash)    # in ~/.bashrc: eval "$(bench completion bash)"',
    "zsh": "bench completion zsh > ~/.zfunc/_bench    # with fpath+=~/.zfunc before compinit in ~/.zshrc",
    "fish": "bench completion fish > ~/.config/fish/completions/bench.fish",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join([*(f"{shell}: {line}" for shell, line in _USE.items()), "", cli.EXIT_CODES])
    parser.add_argument("shell", choices=tuple(_USE), metavar="SHELL", help=", ".join(_USE))


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.shell == "fish":  # shtab does not write it
        print(_fish())
    else:
        import shtab

        print(shtab.complete(_full_parser(), shell=options.shell))
    return cli.OK


def _full_parser() -> argparse.ArgumentParser:
    """Return the parser with the options of every built-in command."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command")
    for name, (module, summary) in cli.COMMANDS.items():
        importlib.import_module(module).add_arguments(commands.add_parser(name, help=summary, description=summary))
    return parser


def _fish() -> str:
    lines = ["complete -c bench -f"]
    for name, (module, summary) in cli.COMMANDS.items():
        lines.append(f"complete -c bench -n __fish_use_subcommand -a {name} -d {_quoted(summary)}")
        parser = argparse.ArgumentParser(add_help=False)
        importlib.import_module(module).add_arguments(parser)
        here = f"-n '__fish_seen_subcommand_from {name}'"
        for action in parser._actions:
            for option in action.option_strings:
                if option.startswith("--"):
                    needs_value = " -r" if action.nargs != 0 else ""
                    help_text = f" -d {_quoted(action.help)}" if action.help else ""
                    lines.append(f"complete -c bench {here} -l {option[2:]}{needs_value}{help_text}")
            if not action.option_strings and action.choices:
                lines.append(f"complete -c bench {here} -a {_quoted(' '.join(map(str, action.choices)))}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("%%", "%").replace("\\", "\\\\").replace("'", "\\'") + "'"
