"""ansible-runner's runner for one staged run: its command, its settings, and the environment that Ansible's processes see.

ansible-runner passes the whole environment of this process on, with what the user set for Ansible. Here it is made anew.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auditor.ansible_place import pinned_environment, program_path
from auditor.model.remedy import RunRequest

FORKS = 10
_LAUNCH = Path(__file__).with_name("launch.py")
_IDENT = "run"
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "KRB5CCNAME", "KRB5_CONFIG", "KRB5_CLIENT_KTNAME", "VIRTUAL_ENV")


def runner_for(request: RunRequest, place: Path, *, with_collections: bool, cancelled: Callable[[], bool]) -> Any:
    """The runner of the play that is staged in `place`."""
    import ansible_runner

    settings = {"pexpect_timeout": 1, "job_timeout": max(1, int(request.deadline_seconds)), "pexpect_use_poll": True}
    # ansible-runner drops the settings that it is given as arguments where this file is not there.
    (place / "env" / "settings").write_text(json.dumps(settings), encoding="utf-8")
    config = ansible_runner.RunnerConfig(
        private_data_dir=str(place),
        playbook=f"{request.remedy}.yml",
        inventory=str(place / "inventory" / "hosts.yml"),
        cmdline="--diff --check" if request.check else "--diff",
        forks=FORKS,
        quiet=True,
        suppress_ansible_output=True,
        suppress_output_file=True,
        ident=_IDENT,
    )
    config.prepare()
    config.suppress_output_file = True  # preparing forgets it
    config.cwd = str(place / "project")
    config.env = _environment(place, with_collections=with_collections)
    config.command = [sys.executable, "-P", str(_LAUNCH), str(output_file(place)), program_path("ansible-playbook"), *config.command[1:]]
    # The files of events are left to `hearing`; ansible-runner writes none itself.
    return ansible_runner.Runner(config=config, remove_partials=False, event_handler=lambda _event: False, cancel_callback=cancelled)


def events_folder(place: Path) -> Path:
    """Where the callback leaves its events."""
    return place / "artifacts" / _IDENT / "job_events"


def output_file(place: Path) -> Path:
    """What Ansible prints."""
    return place / "output"


def _environment(place: Path, *, with_collections: bool) -> dict[str, str]:
    """Our settings, what ansible-runner's callback needs, and no variable of the user that may hold a secret or a setting of Ansible."""
    from ansible_runner.utils import get_callback_dir

    empty = str(place / "empty")
    own = pinned_environment(place, trust=False)
    # All passwords are in the inventory of the run, none behind a vault.
    own.pop("ANSIBLE_VAULT_PASSWORD_FILE", None)
    own |= {
        "ANSIBLE_COLLECTIONS_PATH": str(place / "collections") if with_collections else empty,
        "ANSIBLE_GATHERING": "explicit",
        "ANSIBLE_INJECT_FACT_VARS": "False",
        "ANSIBLE_ROLES_PATH": empty,
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "False",
        "ANSIBLE_DISPLAY_OK_HOSTS": "False",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "False",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
        "ANSIBLE_CALLBACK_PLUGINS": str(get_callback_dir()),
        "AWX_ISOLATED_DATA_DIR": str(events_folder(place).parent),
        "PYTHONUNBUFFERED": "1",
    }
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    path = f"{Path(program_path('ansible-playbook')).parent}{os.pathsep}{passed.get('PATH', '/usr/bin:/bin')}"
    return {**passed, **own, "PATH": path}
