"""A Dask cluster of SLURM jobs.

Change what is marked, then run it where jobs are submitted, and leave it running:

    pip install '.[dask]' dask-jobqueue                 # in a clone of mexbench
    python configs/slurm_cluster.py                     # says what to type in another terminal
    bench run CONFIG --executor dask --scheduler tls://...

Whoever can connect to a Dask scheduler can run code as you, so this one wants certificates: make them once, as below,
in a folder that only you can read and that every node sees. ``bench`` and Dask find them by these variables:

    mkdir -m 700 ~/.dask-tls && cd ~/.dask-tls
    openssl req -x509 -newkey rsa:4096 -nodes -days 365 -subj /CN=mexbench -keyout key.pem -out cert.pem
    export DASK_DISTRIBUTED__COMM__TLS__CA_FILE=$PWD/cert.pem
    for who in CLIENT SCHEDULER WORKER; do
        export DASK_DISTRIBUTED__COMM__TLS__${who}__CERT=$PWD/cert.pem
        export DASK_DISTRIBUTED__COMM__TLS__${who}__KEY=$PWD/key.pem
    done
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from dask_jobqueue import SLURMCluster
from distributed import Security

JOBS = 4  # change: how many SLURM jobs


def cluster() -> SLURMCluster:
    """Describe a job; nothing is submitted yet."""
    return SLURMCluster(
        queue="normal",  # change: the partition
        walltime="12:00:00",
        cores=8,  # change: of one job
        processes=8,  # as many as cores: a worker does one task at a time, with one thread
        memory="32GB",  # change: of one job, all its workers together
        worker_extra_args=["--lifetime", "11h30m"],  # a worker leaves before SLURM ends it
        job_script_prologue=[f"cd {Path.cwd()}", f"export PATH={Path(sys.executable).parent}:$PATH"],
        log_directory="slurm-logs",
        protocol="tls://",
        security=Security(require_encryption=True),
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
    )


if __name__ == "__main__":
    with cluster() as found:
        found.scale(jobs=JOBS)
        sys.stdout.write(f"bench run CONFIG --executor dask --scheduler {found.scheduler_address}\n")
        sys.stdout.flush()
        threading.Event().wait()  # until Ctrl-C, which ends the jobs
