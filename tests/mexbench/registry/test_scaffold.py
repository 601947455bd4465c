from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from mexbench.errors import PluginError
from mexbench.registry import scaffold
from mexbench.registry.catalogue import Catalogue, CatalogueEntry

LONGEST = "a_name_as_long_as_can_be_here_"
CHOICES = [(kind, template) for kind, names in scaffold.TEMPLATES.items() for template in names or (None,)]


@pytest.mark.parametrize("name", ["my_thing", LONGEST])
@pytest.mark.parametrize(("kind", "template"), CHOICES)
def test_templates_pass_ruff(kind: str, template: str | None, name: str, builtin: Catalogue, tmp_path: Path) -> None:
    created = scaffold.write(kind, name, tmp_path / "new" / name, builtin, template=template)
    assert [path.name for path in created] == ["pyproject.toml", f"{name}.py", f"test_{name}.py"]
    assert sorted(path.name for path in created[0].parent.iterdir()) == sorted(path.name for path in created)
    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=created[0].parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    assert max(len(line) for path in created for line in path.read_text().splitlines()) <= 120
    assert not [text for path in created for text in ("$", "\t") if text in path.read_text()]


def test_templates_pass_pyright(builtin: Catalogue, tmp_path: Path) -> None:
    installed = importlib.util.find_spec("torch") is not None
    choices = [(kind, template) for kind, template in CHOICES if installed or template != "torch"]
    names = [f"my_{template or kind}" for kind, template in choices]
    for name, (kind, template) in zip(names, choices, strict=True):
        scaffold.write(kind, name, tmp_path / name, builtin, template=template)
    environments = [f'{{"root": "{name}"}}' for name in names]  # each as if it were opened by itself
    (tmp_path / "pyrightconfig.json").write_text(f'{{"executionEnvironments": [{", ".join(environments)}]}}')
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 errors, 0 warnings" in done.stdout


@pytest.mark.parametrize("template", ["numpy", "sklearn", "torch"])
def test_a_model_takes_less_than_forty_five_lines(template: str) -> None:
    assert scaffold.files("model", "my_model", template)["my_model.py"].count("\n") < (
        40 if template != "torch" else 45
    )


def test_a_template_names_what_it_imports() -> None:
    assert 'dependencies = ["mexbench", "torch"]' in scaffold.files("model", "my_model", "torch")["pyproject.toml"]
    assert 'dependencies = ["mexbench"]' in scaffold.files("model", "my_model")["pyproject.toml"]


def test_an_unknown_template_is_refused(builtin: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"unknown template 'tourch' \(did you mean 'torch'\?\)"):
        scaffold.write("model", "my_model", tmp_path / "new", builtin, template="tourch")
    with pytest.raises(PluginError, match="a protocol has one template; only model and dataset have a choice"):
        scaffold.write("protocol", "my_split", tmp_path / "new", builtin, template="torch")
    assert list(tmp_path.iterdir()) == []


def test_class_names_do_not_collide() -> None:
    for name, cls in (("my_model", "MyModel"), ("model", "ModelPlugin"), ("none", "NonePlugin"), ("x2", "X2")):
        assert f"\nclass {cls}(Model):" in scaffold.files("model", name)[f"{name}.py"]
        assert f"import {cls}\n" in scaffold.files("model", name)[f"test_{name}.py"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "My-Model",
            "'My-Model' is not a valid name for a plugin: expected small letters, digits and '_', a letter first",
        ),
        ("9lives", "'9lives' is not a valid name for a plugin"),
        ("_x", "'_x' is not a valid name for a plugin"),
        ("a/../../b", "'a/../../b' is not a valid name for a plugin"),
        ("<b>", "'<b>' is not a valid name for a plugin"),
        ("", "'' is not a valid name for a plugin"),
        (LONGEST + "x", "30 at most"),
        ("class", "'class' is a reserved word of Python"),
        ("match", "'match' is a reserved word of Python"),
        ("case", "'case' is a reserved word of Python"),
        ("svm", "'svm' is the name of a model in mexbench 0.1.0 (mexbench_plugins.models.svm:SVM)"),
        ("loso", "'loso' is the name of a protocol in mexbench 0.1.0"),
        ("mine", "'mine' is the name of a model in other-models 2.0 (mine:Mine)"),
        ("ours", "'ours' is the name of a model in aaa 1.0 and in bbb 1.0"),
        ("json", "'json' is a module of Python's standard library"),
        ("mexbench_plugins", "'mexbench_plugins' is a package of mexbench itself"),
        ("mexbench", "'mexbench' is a package of mexbench itself"),
        ("numpy", "'numpy' is a module that is installed here ("),
        ("scikit_learn", "'scikit_learn' is a distribution that is installed here ("),
    ],
)
def test_invalid_names_are_rejected(name: str, message: str, builtin: Catalogue, tmp_path: Path) -> None:
    third_party = CatalogueEntry(kind="model", name="mine", target="mine:Mine", distribution="other-models 2.0")
    catalogue = Catalogue((*builtin.entries, third_party), disputed={("model", "ours"): ("aaa 1.0", "bbb 1.0")})
    with pytest.raises(PluginError) as caught:
        scaffold.write("dataset", name, tmp_path / "new", catalogue)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(builtin: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "folder", "link"):
        with pytest.raises(PluginError, match="exists already, and nothing is overwritten; choose another --out"):
            scaffold.write("model", "my_model", tmp_path / name, builtin)
    assert (tmp_path / "file").read_text() == "mine"
    assert list((tmp_path / "folder").iterdir()) == []


def test_a_full_disk_leaves_no_folder(builtin: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        if path.name != "pyproject.toml":
            raise OSError(28, "No space left on device", str(path))
        path.write_text(text)

    monkeypatch.setattr(scaffold, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        scaffold.write("model", "my_model", tmp_path / "new", builtin)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_module_leaves_the_name_free(
    builtin: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_model").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert importlib.util.find_spec("my_model") is not None
    assert scaffold.write("model", "my_model", tmp_path / "elsewhere", builtin)
