"""Published weights as saved models: one file per held-out subject, read without running anything.

    FOLDER/<subject>.pth    what a publisher says was trained without this subject
    OUT/<fold>/             the same weights as a saved model, which 'bench evaluate-saved' scores

That a file was trained without the subject of its name is the publisher's statement, and stays one: ``model.json`` says
so, and every score of such a model is flagged. What can be seen is refused: two subjects with the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mexbench.config.run_config import Component
from mexbench.errors import BenchError, SavedModelError, counted, listed
from mexbench.evaluation.plan import Plan, RowGroupPlan
from mexbench.evaluation.save_models import about_row
from mexbench.files import replacing_folder
from mexbench.fingerprint import digest, digest_array
from mexbench.interfaces import Fold, Model, Predictor, TorchWeightsModel
from mexbench.registry.parameters import to_dict
from mexbench.runs import saved_model as saved
from mexbench.runs.model_files import sha256
from mexbench.runs.run_folder import folder_name
from mexbench.runs.torch_state import read_state

#: Stands beside every score of a model whose training nobody here has seen.
PUBLISHED_WEIGHTS = "published-weights"
#: What ``trained_on`` says of such a model.
STATED = "stated"
_ENDINGS = (".pth", ".pt")


def import_weights(folder: Path, plan: Plan, out: Path, *, publisher: str, model: str | None = None) -> list[Path]:
    """Write a saved model for every subject of a config.

    Args:
        folder: Has ``<subject>.pth`` for every subject that the protocol holds out.
        plan: Its protocol says which subjects are held out, its data which classes and samples there are.
        out: A new folder.
        publisher: Where the weights are from, as ``model.json`` will say.
        model: Name of the model in the config; None where it has one that can import weights.

    Returns:
        The folders of the saved models, in the order of the folds.

    Raises:
        SavedModelError: A file is missing, unknown, not a state dictionary, or of another network; or ``out`` exists.
    """
    if not publisher.strip():
        raise SavedModelError("--publisher: expected where the weights are published, such as a web address")
    if out.exists():
        raise SavedModelError(f"{out}: exists already; give another --out, or remove it")
    part, component = _chosen(plan, model)
    subjects = held_out_subjects(part)
    files = _files(folder, subjects)
    about = {**about_row(plan.config, part, component), "parameters": to_dict(component.instance), "seed": None}
    about["flags"] = list(dict.fromkeys([*about["flags"], PUBLISHED_WEIGHTS]))
    shape = part.arrays.x.shape[1:]
    written = []
    with replacing_folder(out) as temporary:
        digests: dict[str, str] = {}
        for fold in part.folds:
            path = files[subjects[fold.name]]
            predictor, weights = _mapped(path, component, shape, len(part.data.classes))
            if (same := digests.setdefault(weights, path.name)) != path.name:
                raise SavedModelError(
                    f"{folder}: {same} and {path.name} hold the same weights: one training cannot have left out each "
                    "of the two subjects alone"
                )
            target = temporary / folder_name(fold.name)
            target.mkdir()
            origin = {"publisher": publisher.strip(), "file": path.name, "sha256": sha256(path)}
            document = {**about, **_statement(about, fold, subjects[fold.name], origin)}
            try:
                saved.write(target, component.instance, predictor, document)
            except ValueError as error:
                raise SavedModelError(f"{path}: cannot be saved: {error}") from None
            written.append(out / target.name)
    return written


def held_out_subjects(part: RowGroupPlan) -> dict[str, str]:
    """Return fold -> the one subject that it tests.

    Raises:
        SavedModelError: A fold tests several subjects, or unknown ones, or a subject is tested twice.
    """
    subject = {sample.sample_id: sample.subject for sample in part.data.samples}
    result = {}
    for fold in part.folds:
        tested = {subject[sample] for sample in fold.test}
        name = next(iter(tested)) if len(tested) == 1 else None
        if name is None or name in result.values():
            raise SavedModelError(
                f"protocol {part.part.protocol.plugin!r}: fold {fold.name!r} does not test one subject alone, once: "
                "weights are published per subject; give a config with protocol: loso"
            )
        result[fold.name] = name
    return result


def _chosen(plan: Plan, name: str | None) -> tuple[RowGroupPlan, Component[Model]]:
    able = {
        row: found for row, found in plan.by_row.items()
        if isinstance(found[1].instance, TorchWeightsModel) and found[1].tuning is None
    }  # fmt: skip
    if name is not None and name not in able:
        raise SavedModelError(
            f"--model {name}: expected a model of the config whose authors publish weights that can be read, and whose "
            f"values are not tuned: {listed(able)}"
        )
    if name is None and len(able) != 1:
        raise SavedModelError(
            f"{len(able)} models of the config can take published weights ({listed(able)}): give one by --model"
            if able
            else "no model of the config can take published weights: its class has no 'from_torch', or it is tuned; "
            "'ststnet' is one that can"
        )
    return able[name if name is not None else next(iter(able))]


def _files(folder: Path, subjects: Mapping[str, str]) -> dict[str, Path]:
    """Return subject -> its file, whose name is the subject's without its data set: ``sub01`` of ``casme2/sub01``."""
    if not folder.is_dir():
        raise SavedModelError(f"{folder}: is not a folder; expected one with a file <subject>.pth for each subject")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _ENDINGS:
            if path.stem in files:
                raise SavedModelError(f"{folder}: has two files of subject {path.stem}; remove one")
            files[path.stem] = path
    if not files:
        raise SavedModelError(f"{folder}: has no file that ends in .pth; expected <subject>.pth for each subject")
    expected = {subject.rpartition("/")[2]: subject for subject in subjects.values()}
    if len(expected) < len(subjects):
        raise SavedModelError("two data sets of the config have subjects of one name, which files cannot tell apart")
    if unknown := sorted(files.keys() - expected.keys()):
        raise SavedModelError(
            f"{folder}: {counted(len(unknown), 'file is', 'files are')} of no subject of the data: "
            f"{listed(unknown, limit=5)}; its subjects are {listed(sorted(expected), limit=5)}"
        )
    if missing := sorted(expected.keys() - files.keys()):
        raise SavedModelError(
            f"{folder}: {len(missing)} of {counted(len(expected), 'subject has', 'subjects have')} no file: "
            f"{listed(missing, limit=5)}; a score over some subjects alone would not be that of the protocol"
        )
    return {subject: files[name] for name, subject in expected.items()}


def _mapped(path: Path, component: Component[Model], shape: tuple[int, ...], n_classes: int) -> tuple[Predictor, str]:
    """Return the predictor of a file, and a digest of its numbers."""
    state = read_state(path)
    model = component.instance
    assert isinstance(model, TorchWeightsModel)  # noqa: S101 - _chosen saw to it
    try:
        predictor = model.from_torch(state, shape=shape, n_classes=n_classes)
    except (ValueError, BenchError) as error:
        raise SavedModelError(f"{path}: is not a state dictionary of {component.plugin!r}: {error}") from None
    return predictor, digest(sorted([name, digest_array(one)] for name, one in state.items() if one.dtype.kind == "f"))


def _statement(about: Mapping[str, Any], fold: Fold, subject: str, origin: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``model.json`` says of one subject's weights."""
    return {
        "trained_on": {"what": STATED, "fold": fold.name, "held_out": [subject], "stated_by": origin["publisher"]},
        "origin": dict(origin),
        "fingerprint": digest([origin["sha256"], about["plugin"], about["parameters"], about["classes"], fold.name]),
    }
