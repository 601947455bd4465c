"""The recipe for SLURM, up to the script that would be submitted."""

from __future__ import annotations

import datetime
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dask.config
import distributed  # noqa: F401 - before dask.config.set, which would take its settings away with what was set
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from mexbench.evaluation.executors.dask.cluster import connected
from tests.helpers import ROOT


@pytest.fixture
def certificate(tmp_path: Path) -> Iterator[Path]:
    """The certificate of the recipe, where the recipe's variables name it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mexbench")])
    now = datetime.datetime.now(datetime.UTC)
    created = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(created.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    settings = {"distributed.comm.tls.ca-file": str(tmp_path / "cert.pem")}
    for who in ("client", "scheduler", "worker"):
        settings[f"distributed.comm.tls.{who}.cert"] = str(tmp_path / "cert.pem")
        settings[f"distributed.comm.tls.{who}.key"] = str(tmp_path / "key.pem")
    with dask.config.set(settings):
        yield tmp_path / "cert.pem"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Give Ctrl-C back: importing dask-jobqueue has it end the process, which here runs other tests as well."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_the_job_that_would_be_submitted(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("slurm_cluster", ROOT / "configs" / "slurm_cluster.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(recipe)
    with recipe.cluster() as cluster:
        script = cluster.job_script()
        assert cluster.scheduler_address.startswith("tls://")
        with connected(cluster.scheduler_address) as link:  # as bench does, by the same certificate
            assert link.workers() == []
    lines = script.splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    for line in ("-p normal", "--cpus-per-task=8", "--mem=30G", "-t 12:00:00"):
        assert f"#SBATCH {line}" in lines
    assert f"cd {tmp_path}" in lines
    assert f"export PATH={Path(sys.executable).parent}:$PATH" in lines
    command = lines[-1]
    assert command.startswith(f"{sys.executable} -m distributed.cli.dask_worker tls://")
    for option in ("--nthreads 1", "--nworkers 8", "--lifetime 11h30m", f"--tls-ca-file {certificate}"):
        assert option in command


def test_its_text_says_how_certificates_are_made(tmp_path: Path) -> None:
    """The commands are typed as they stand, in a home folder of their own."""
    text = (ROOT / "configs" / "slurm_cluster.py").read_text()
    commands = text.partition("    mkdir -m 700")[2].partition('"""')[0].replace("rsa:4096", "rsa:2048")
    probe = (
        f"{sys.executable} -c 'import distributed; print(distributed.Security().get_tls_config_for_role(\"client\"))'"
    )
    done = subprocess.run(
        ["bash", "-ec", f"mkdir -m 700{commands}\n{probe}"], capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / ".dask-tls" / "key.pem") in done.stdout
