"""The deployment files name what exists: settings, commands, files, servers that wait for one another."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = (ROOT / "salesops/config/settings.py").read_text(encoding="utf-8")
#: Read by commands rather than by the settings file.
READ_ELSEWHERE = {"SALESOPS_DEMO"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8"))


def commands_in(words: list[str]) -> list[str]:
    """The management commands that a container's command line runs."""
    return re.findall(r"manage\.py (\w+)", " ".join(words))


def test_every_variable_is_read_by_the_settings(compose: dict[str, Any]) -> None:
    given = set(compose["services"]["web"]["environment"])
    unread = {name for name in given - READ_ELSEWHERE if f'"{name}"' not in SETTINGS}
    assert unread == set()


def test_every_command_exists(compose: dict[str, Any]) -> None:
    ours = set(get_commands())
    run = [name for service in compose["services"].values() for name in commands_in(service.get("command", []))]
    assert set(run) == {"migrate", "first_run", "run_scheduler"}
    assert set(run) <= ours
    assert set(commands_in([(ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")])) <= ours


def test_the_web_command_names_a_real_application() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")
    module, name = re.search(r'"gunicorn", "([\w.]+):(\w+)"', text).groups()
    assert callable(getattr(import_module(module), name))


def test_portal_waits_for_servers_and_migrations(compose: dict[str, Any]) -> None:
    for name in ("web", "worker", "scheduler"):
        waits = compose["services"][name]["depends_on"]
        assert waits["database"]["condition"] == "service_healthy"
        assert waits["broker"]["condition"] == "service_healthy"
        assert waits["migrate"]["condition"] == "service_completed_successfully"


def test_the_broker_never_evicts(compose: dict[str, Any]) -> None:
    words = compose["services"]["broker"]["command"]
    assert words[words.index("--maxmemory-policy") + 1] == "noeviction"
    assert words[words.index("--appendonly") + 1] == "yes"


def test_only_the_proxy_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]


def test_mounted_and_copied_files_exist(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            if mount.startswith("./"):
                assert (ROOT / "deploy" / mount.split(":")[0]).is_file()
    for source in re.findall(r"^COPY (\S+) \./$", (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8"), re.M):
        assert (ROOT / source).exists()


def test_required_variables_are_in_the_example(compose: dict[str, Any]) -> None:
    text = (ROOT / "deploy/compose.yaml").read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", text))
    example = set(re.findall(r"^(\w+)=", (ROOT / "deploy/example.env").read_text(encoding="utf-8"), re.M))
    assert required <= example


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    if (
        not shutil.which("docker")
        or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("docker compose is not on this machine")
    filled = re.sub(r"^(\w+)=$", r"\1=something", (ROOT / "deploy/example.env").read_text(encoding="utf-8"), flags=re.M)
    (tmp_path / "env").write_text(filled)
    done = subprocess.run(
        [
            "docker",
            "compose",
            "--file",
            str(ROOT / "deploy/compose.yaml"),
            "--env-file",
            str(tmp_path / "env"),
            "config",
            "--quiet",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_production_settings_pass_djangos_own_check(tmp_path: Path) -> None:
    import os
    import sys

    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "SALESOPS_DATA": str(tmp_path),
            "SITE_URL": "https://sales.example.com",
            "ALLOWED_HOSTS": "sales.example.com",
        },
    )
    assert done.returncode == 0, done.stderr


def test_a_variable_without_a_value_is_not_set(tmp_path: Path) -> None:
    """A blank broker would be one on this machine for Celery, whoever it belongs to, and a blank database none at all."""
    import os
    import sys

    asked = "from django.conf import settings as s; print(s.BROKER_URL, s.DATABASES['default']['NAME'], s.CACHES['default']['BACKEND'])"
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "SALESOPS_DATA": str(tmp_path),
            "BROKER_URL": "",
            "DATABASE_URL": "",
            "CACHE_URL": " ",
            "JOB_LEASE_SECONDS": "",
        },
    )
    file = tmp_path / "salesops.sqlite3"
    assert done.stdout.split() == ["filesystem://", str(file), "django.core.cache.backends.db.DatabaseCache"]
