"""The real PowerShell engine for tests: finds it, runs bundles with it here and under wine. Says why where it is absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from auditor.probes import framing
from auditor.probes.framing import Answer

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("AUDITOR_SHARED", ROOT.parent / "shared"))
INSTALL = SHARED / "tools" / "install.sh"
NO_ENGINE = f"no PowerShell engine: neither in AUDITOR_PSENGINE or its usual place, nor {INSTALL.name} in the shared tools (AUDITOR_SHARED)"
NO_WINE = "no wine, or the engine was installed without it: the probe can't run over the Windows API here"
WINE_RUNTIME = {"WINEDEBUG": "-all", "DOTNET_EnableWriteXorExecute": "0"}
"""With its memory either writable or executable, the runtime ends under wine when it frees its first dynamic method."""


def folder() -> Path | None:
    """The engine's `bin` folder, installed from the shared tools on first use; None where there is none to be had."""
    usual = Path(os.environ.get("AUDITOR_PSENGINE", Path.home() / ".local" / "share" / "psengine"))
    if (usual / "bin" / "powershell").is_file():
        return usual / "bin"
    if not INSTALL.is_file() or shutil.which("bash") is None:
        return None
    place = Path(tempfile.gettempdir()) / f"auditor-psengine-{os.getuid()}"
    done = subprocess.run(["bash", str(INSTALL), str(place)], capture_output=True, check=False)
    return place / "bin" if done.returncode == 0 else None


def wine_folder() -> Path | None:
    """The same, where the engine can run under wine."""
    found = folder()
    return found if found and (found / "powershell-wine").is_file() and shutil.which("wine") else None


def check(bin_folder: Path, files: list[Path], target: str = "2.0") -> list[str]:
    """Notes of the real parser on scripts: syntax errors, and what the target version does not have."""
    command = [str(bin_folder / "powershell"), "check", *map(str, files), "--target", target]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.splitlines()[:-1]


def run(bin_folder: Path, script: str, *, seconds: float = 60, environment: dict[str, str] | None = None, wine: bool = False) -> Answer:
    """Sends a bundle through the fixed command as a WinRM shell would, and reads the answer."""
    program = bin_folder / ("powershell-wine" if wine else "powershell")
    command = [str(program), "-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", framing.encoded_command()]
    settings = {**os.environ, **(WINE_RUNTIME if wine else {}), **(environment or {})}
    done = subprocess.run(command, input=framing.pack_script(script), capture_output=True, check=False, timeout=seconds, env=settings)
    answer = framing.read_answer(done.stdout)
    assert answer.hello is not None, done.stderr.decode("utf-8", "replace")[:2000]
    return answer
