"""What the suite's gunicorn loads: the centre's own application on watched ports."""

import os
from pathlib import Path

from flask import Flask

from sso_server.app import create_app
from tests.faults.centre_ports import replace_stores


def create() -> Flask:
    """`FAULTS_RUN` is the run's directory, `FAULTS_PART` names a faulty part, if any."""
    replace_stores(Path(os.environ["FAULTS_RUN"]), "web", os.environ.get("FAULTS_PART", ""))
    return create_app()
