"""Where a third-party plugin's code is: read from metadata, shown on pages, asked for by verification."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mexbench.registry.catalogue import load_catalogue
from mexbench.reports.leaderboards import submission as files
from mexbench.reports.leaderboards.definition import load
from mexbench.reports.leaderboards.plugin_code import PluginCode, read_plugin_code
from mexbench.reports.leaderboards.submission import Submission
from mexbench.reports.leaderboards.verify import verify

REPOSITORY = "https://example.org/me/my-model"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The metadata of an installed distribution, on the search path."""
    folder = tmp_path / "site" / "my_code_model-1.5.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: my-code-model\nVersion: 1.5\nAuthor-email: A. Author <a@example.org>\n"
        f"License-Expression: MIT\nProject-URL: Repository, {REPOSITORY}\nProject-URL: Paper, https://doi.org/10.1/x\n"
        "Project-URL: Bad, javascript:alert(1)\nRequires-Dist: numpy>=1\nRequires-Dist: mexbench\n"
        "Requires-Dist: pandas; extra == 'more'\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    return folder


def test_metadata_gives_addresses_authors_licence_and_dependencies(installed: Path) -> None:
    import numpy

    code = read_plugin_code("my-code-model 1.5")
    assert code == PluginCode(
        install="pip install my-code-model==1.5",
        address=REPOSITORY,
        paper="https://doi.org/10.1/x",
        authors="A. Author <a@example.org>",
        licence="MIT",
        dependencies={"numpy": numpy.__version__},
    )
    assert read_plugin_code("my-code-model 1.4") is None
    assert read_plugin_code("mexbench 0.1.0") is None


def test_what_came_from_a_repository_is_installed_from_its_commit(installed: Path) -> None:
    origin = {"url": "https://example.org/me/other", "vcs_info": {"vcs": "git", "commit_id": "ab" * 20}}
    (installed / "direct_url.json").write_text(json.dumps(origin))
    code = read_plugin_code("my-code-model 1.5")
    assert code is not None
    assert (code.install, code.commit) == (f'pip install "git+https://example.org/me/other@{"ab" * 20}"', "ab" * 20)


def test_what_came_from_a_folder_is_installed_from_its_repository_and_names_no_path(
    installed: Path, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (installed / "direct_url.json").write_text(json.dumps({"url": source.as_uri(), "dir_info": {"editable": True}}))
    code = read_plugin_code("my-code-model 1.5")
    assert code is not None
    assert (code.install, code.commit, code.address) == (None, None, REPOSITORY)  # not under version control
    (source / "file").write_text("x")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=source, check=True)
    code = read_plugin_code("my-code-model 1.5")
    assert code is not None
    assert code.install == f'pip install "git+{REPOSITORY}@{code.commit}"'
    (source / "file").write_text("y")
    code = read_plugin_code("my-code-model 1.5")
    assert code is not None
    assert (code.install, (code.commit or "").endswith("-dirty")) == (None, True)
    assert str(tmp_path) not in repr(code)


def third_party(submission: Submission, code: PluginCode | None, flags: tuple[str, ...] = ()) -> Submission:
    return replace(submission, model=replace(submission.model, distribution="theirs 2.0", code=code), flags=flags)


def test_a_third_party_row_names_its_code_or_is_flagged(root: Path, submission: Submission) -> None:
    board, catalogue = load(root, "toy"), load_catalogue()
    message = "flags: 'code-unavailable' is missing: 'model.code' has neither of 'install' and 'address'"
    assert verify(board, third_party(submission, None), catalogue) == [message]
    assert verify(board, third_party(submission, None, ("code-unavailable",)), catalogue) == []
    assert verify(board, third_party(submission, PluginCode(address=REPOSITORY)), catalogue) == []
    wrong = verify(board, third_party(submission, PluginCode(address=REPOSITORY), ("code-unavailable",)), catalogue)
    assert wrong == ["flags: 'code-unavailable' is wrong: 'model.code' has one of 'install' and 'address'"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (PluginCode(address="javascript:alert(1)"), "model.code.address: expected a web address"),
        (PluginCode(paper="file:///etc", address=REPOSITORY), "model.code.paper: expected a web address"),
        (PluginCode(install="pip install x; rm -rf ~"), "model.code.install: expected a line 'pip install ...'"),
        (PluginCode(install='pip install "git+https://x/$(id)"'), "model.code.install: expected a line"),
    ],
)
def test_what_a_page_must_not_show_is_refused(
    code: PluginCode, message: str, root: Path, submission: Submission
) -> None:
    errors = verify(load(root, "toy"), third_party(submission, code), load_catalogue())
    assert [message in error for error in errors] == [True]


def test_a_file_keeps_the_code_and_a_built_in_row_has_none(tmp_path: Path, submission: Submission) -> None:
    code = PluginCode(install="pip install theirs==2.0", dependencies={"numpy": "2.1.0"})
    files.write(tmp_path / "x.json", third_party(submission, code))
    assert files.read(tmp_path / "x.json").model.code == code
    assert '"code"' not in files.text(submission).partition('"origin"')[0]
