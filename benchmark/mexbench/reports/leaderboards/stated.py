"""What a submission says beside its predictions: what the board and the plugins decide, and what is only stated.

Figures follow from predictions. Flags are another matter: a file can leave one out. So those that follow from the
board (made-up data, leaks, subjects that are not known) are the board's, those that follow from parameters are asked of
the plugins that are installed here, and a page says of the rest that it is as stated by the submitter.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from mexbench.config.local_code import LOCAL_CODE
from mexbench.config.run_config import NAME
from mexbench.config.tuning import SEEN_TEST_FLAG
from mexbench.errors import PluginError
from mexbench.interfaces import Plugin
from mexbench.registry.catalogue import Catalogue
from mexbench.registry.parameters import RESERVED, build, parameters
from mexbench.reports.leaderboards.plugin_code import CODE_UNAVAILABLE, code_errors, is_available, is_third_party
from mexbench.reports.leaderboards.submission import BoardEntry
from mexbench.runs.predictions_csv import repeat_of
from mexbench.runs.provenance import EPOCH

#: What no prediction can confirm, as pages and the command call it.
STATED = "code, commit, device, versions, dates, costs, weights and that the named model made the predictions"
_PROFILE = "profile:"
_FLAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,:=+-]*")
#: Keys of a model's block that are not its parameters.
_NOT_PARAMETERS = RESERVED | {"frames", "preprocess", "selection", "tune"}
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-(?P<default>[^}]*))?\}")
#: Categories of characters that are not seen, or change how others are: controls, marks of direction, zero width.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def split_subjects(tested: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    """Return the subjects that are tested in several folds of one repeat, and so train where they are not tested.

    Args:
        tested: Fold and subject of each sample; a subject may be empty.
    """
    folds: dict[tuple[int, str], set[str]] = {}
    for fold, subject in tested:
        if subject:
            folds.setdefault((repeat_of(fold), subject), set()).add(fold)
    return {subject: names for (_, subject), names in folds.items() if len(names) > 1}


def stated_errors(board_flags: Sequence[str], entry: BoardEntry, catalogue: Catalogue) -> Iterator[str]:
    """Yield what is wrong with all that a submission says beside its predictions.

    Args:
        board_flags: Those that every row of the board has.
        entry: A row of any leaderboard.
        catalogue: Whose plugins are asked for their flags.
    """
    yield from _text_errors(entry)
    yield from _name_errors(entry)
    yield from _date_errors(entry)
    flags, errors = plugin_flags(entry.origin.config, catalogue, earlier=entry.origin.epoch < EPOCH)
    yield from errors
    yield from _flag_errors(board_flags, entry, flags)
    yield from _profile_errors(entry)
    yield from _code_errors(entry)


def plugin_flags(
    config: Mapping[str, Any], catalogue: Catalogue, *, earlier: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Build the steps, the protocol and the model of a row's config, as far as they are installed here.

    Args:
        config: ``origin.config`` of a submission.
        catalogue: Whose plugins are asked.
        earlier: Whether it is of an earlier epoch of the code, whose plugins may have had other parameters as well.

    Returns:
        Flag -> the plugin that has it; and what is wrong with the config, in lines.
    """
    flags: dict[str, str] = {}
    errors: list[str] = []
    for kind, path, block in _blocks(config):
        if not isinstance(block, Mapping) or not isinstance(block.get("plugin"), str):
            errors.append(f"origin.config: {path}: expected a mapping with 'plugin', got {block!r}")
            continue
        try:
            cls = catalogue.get(kind, block["plugin"]).load()
        except PluginError:  # of another distribution, which is not installed here: its row is as stated
            continue
        values = {key: _expanded(value) for key, value in block.items() if key not in _NOT_PARAMETERS}
        if earlier:
            values = {key: value for key, value in values.items() if key in {one.name for one in parameters(cls)}}
        unknown_here = {key for key, value in values.items() if "${" in json.dumps(value)}  # of the submitter's machine
        instance, problems = build(cls, {key: value for key, value in values.items() if key not in unknown_here})
        if unknown_here and any(not key for key, _ in problems):
            continue
        errors += [f"origin.config: {'.'.join([path, *key])}: {text}" for key, text in problems]
        if isinstance(instance, Plugin):
            flags |= dict.fromkeys(instance.flags(), str(block["plugin"]))
        if kind == "model" and block.get("selection") == "seen-test":
            flags[SEEN_TEST_FLAG] = str(block["plugin"])
    return flags, errors


def _blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    models = config.get("models")
    if not isinstance(models, list) or len(models) != 1:
        yield "model", "models", models
        return
    yield "model", "models[0]", models[0]
    own = models[0] if isinstance(models[0], Mapping) else {}
    steps = own["preprocess"] if isinstance(own.get("preprocess"), list) else config.get("preprocess", [])
    for index, step in enumerate(steps if isinstance(steps, list) else [steps]):
        yield "preprocessor", f"preprocess[{index}]", step
    if "protocol" in config:  # that of the board is compared on its own
        yield "protocol", "protocol", config["protocol"]


def _expanded(value: object) -> object:
    """Return what a variable stands for where a config says so; a path that it does not say stays the variable."""
    match = _VARIABLE.fullmatch(value) if isinstance(value, str) else None
    return value if match is None or match["default"] is None else match["default"]


def _flag_errors(board_flags: Sequence[str], entry: BoardEntry, of_plugins: Mapping[str, str]) -> Iterator[str]:
    flags = entry.flags
    if len(set(flags)) < len(flags) or any(not _FLAG.fullmatch(flag) for flag in flags):
        yield f"flags: expected different words, got {list(flags)!a}"
    for flag in board_flags:
        if flag not in flags:
            yield f"flags: {flag!r} is missing, which every row of this board has"
    for flag, plugin in of_plugins.items():
        if flag not in flags:
            yield f"flags: {flag!r} is missing, which {plugin!r} with the parameters of 'origin.config' has"
    models = entry.origin.config.get("models")
    block = models[0] if isinstance(models, list) and models else {}
    declared = isinstance(block, dict) and block.get("selection") == "seen-test"
    if declared and SEEN_TEST_FLAG not in flags:
        yield f"flags: {SEEN_TEST_FLAG!r} is missing: the config says that test scores were seen"


def _code_errors(entry: BoardEntry) -> Iterator[str]:
    """Check that a third-party row says where its code is, or has the flag for it."""
    model = entry.model
    if model.code is not None:
        yield from code_errors(model.code)
    missing = is_third_party(model.distribution) and not is_available(model.code)
    if missing != (CODE_UNAVAILABLE in entry.flags):
        state, reason = ("is missing", "neither") if missing else ("is wrong", "one")
        yield f"flags: {CODE_UNAVAILABLE!r} {state}: 'model.code' has {reason} of 'install' and 'address'"


def _profile_errors(entry: BoardEntry) -> Iterator[str]:
    profile = entry.origin.config.get("profile")
    if profile is not None and f"{_PROFILE}{profile}" not in entry.flags:
        yield f"flags: no profile, where 'origin.config' has the profile {profile!r}"
    if "incomplete" in entry.flags:
        yield "flags: 'incomplete': finish the run first"
    if LOCAL_CODE in entry.flags:
        yield f"flags: {LOCAL_CODE!r}: no leaderboard takes a row of code that nobody else can run"


def _name_errors(entry: BoardEntry) -> Iterator[str]:
    """Names follow the rule of a config: no two look alike, and none hides a character."""
    model = entry.model
    if not NAME.fullmatch(model.name):
        yield f"model.name: expected letters, digits, spaces or any of _ - + . , =; got {model.name!a}"
    if not NAME.fullmatch(model.plugin):
        yield f"model.plugin: expected letters, digits, spaces or any of _ - + . , =; got {model.plugin!a}"
    if (stated := model_block(entry).get("plugin")) != model.plugin:
        yield f"model.plugin: is {model.plugin!a}, and 'origin.config' has {stated!a}"
    if (seeds := entry.origin.config.get("seeds")) is not None and list(entry.seeds) != seeds:
        yield f"seeds: {list(entry.seeds)}, and 'origin.config' has {seeds!r}"


def model_block(entry: BoardEntry) -> Mapping[str, Any]:
    """Return the block of the one model of a submission's config; an empty one where it is not there."""
    models = entry.origin.config.get("models")
    block: Any = models[0] if isinstance(models, list) and len(models) == 1 else {}
    return block if isinstance(block, Mapping) else {}


def _text_errors(entry: BoardEntry) -> Iterator[str]:
    """Refuse characters that are not seen, anywhere: a page would show one thing and hold another."""
    for path, text in _texts(entry, ""):
        if any(unicodedata.category(character) in _UNSEEN for character in text):
            yield f"{path}: has characters that are not seen: {text!a}"


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path or "the file", value
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _texts({field.name: getattr(value, field.name) for field in fields(value)}, path)
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            place = f"{path}.{key}" if path else str(key)
            yield ascii(place), str(key)
            yield from _texts(inside, place)
    elif isinstance(value, (list, tuple)):
        for index, inside in enumerate(value):
            yield from _texts(inside, f"{path}[{index}]")


def _date_errors(entry: BoardEntry) -> Iterator[str]:
    times = []
    for key in ("started", "ended"):
        text = getattr(entry.origin, key)
        try:
            times.append(datetime.fromisoformat(text).timestamp())
        except (ValueError, OverflowError, OSError):
            yield f"origin.{key}: expected a date and time such as 2026-11-20T12:00:00+00:00, got {text!a}"
    if len(times) == 2 and times[1] < times[0]:
        yield f"origin.ended: is before it started: {entry.origin.ended}"
