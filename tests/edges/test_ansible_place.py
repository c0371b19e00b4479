"""The private place of Ansible's runs: ours alone, gone when it ends, and gone at the next start where it was killed."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from auditor.ansible_place import private_place

ROOT = Path(__file__).parents[2]
CHILD = """
import sys, time
from auditor.ansible_place import private_place
with private_place() as place:
    (place / "secret").write_text("x")
    print(place, flush=True)
    time.sleep(60)
"""


def test_it_is_ours_alone_and_goes_when_it_ends() -> None:
    with private_place() as place:
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        with private_place() as other:
            assert place.is_dir()
            assert other != place
        assert place.is_dir()
        assert not other.exists()
    assert not place.exists()


def test_what_a_killed_process_left_goes_at_the_next_start_and_no_living_ones() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        place = Path(child.stdout.readline().strip())
        with private_place():
            assert (place / "secret").is_file(), "its process lives"
        child.kill()
        child.wait(timeout=30)
        assert (place / "secret").is_file()
        with private_place():
            assert not place.exists()


def test_what_still_runs_in_the_place_of_a_killed_process_is_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        place = child.stdout.readline().strip()
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", f"{place}/project/play.yml"]) as play:
            with private_place():
                assert play.poll() is None
            child.kill()
            child.wait(timeout=30)
            with private_place():
                assert play.wait(timeout=30) == -9
