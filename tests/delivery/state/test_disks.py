from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.delivery.state.record_file import RECORD, read_record
from edgeagent.delivery.state.store import Store
from edgeagent.errors import DeliveryError, EdgeagentError
from tests.delivery.folder_source import Published
from tests.delivery.state.device import STRIKES, Device, version
from tests.small_disk import on_small_disk

READ_ONLY = """
import sys
from pathlib import Path
from edgeagent.delivery.state.store import Store
from edgeagent.errors import EdgeagentError
store = Store(Path(sys.argv[1]))
print(store.to_serve(3).manifest.version)
try:
    store.change(pinned="tiny 1.0.0")
except EdgeagentError as error:
    print(error)
store.close()
"""


REMOUNTED = 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"'


FULL = """
import errno, shutil, sys
from pathlib import Path
from edgeagent.bundle.reading import MANIFEST
from edgeagent.delivery.update.deployment_steps import installed
from edgeagent.delivery.state.store import Store
from edgeagent.errors import EdgeagentError
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE
from tests.delivery.folder_source import published

disk, bundles = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
store = Store(disk / "delivery")
models = []
for number, bundle in enumerate(bundles, 1):
    model = installed(published(bundle, f"{number}.0.0", number).release)
    shutil.copytree(bundle, store.slots.partial(model), dirs_exist_ok=True)
    store.slots.seal(model, (MANIFEST, ARTEFACT, PICTURE, OUTPUTS))
    store.begin(model, "channel")
    for state in ("verifying", "staged", "gating", "trial", "good")[: 5 if number == 1 else 4]:
        store.move(state)
    models.append(model)
store._lock.release()  # and no clean end
with (disk / "filler").open("wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC
store = Store(disk / "delivery")
print(store.to_serve(3).manifest.version, store.trial_serves)
try:
    store.move("good")
except EdgeagentError as error:
    print(error)
(disk / "filler").unlink()
store.move("good")
print(store.record.current.version)
"""


def test_what_cannot_be_written_did_not_happen(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    before = device.store.record
    (device.folder / f"{RECORD}.new").mkdir()
    with pytest.raises(EdgeagentError, match="cannot be written"):
        device.bring(three[1], "fetching")
    assert device.store.record == before
    assert read_record(device.folder) == before


def test_a_trial_that_cannot_be_counted_does_not_serve(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.bring(three[1], "trial")
    (device.folder / f"{RECORD}.new").mkdir()
    assert version(device.crash().to_serve(STRIKES)) == "1.0.0"
    assert not device.store.trial_serves


def test_damage_on_a_disk_that_cannot_be_written(device: Device, three: list[Published]) -> None:
    device.bring(three[0])
    device.damage(device.bring(three[1]))
    (device.folder / f"{RECORD}.new").mkdir()
    assert version(device.crash().to_serve(STRIKES)) == "1.0.0"
    assert device.store.record.previous is None


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DeliveryError, match="make the state folder writable"):
        Store(tmp_path / "file" / "delivery")


def test_a_read_only_disk_still_serves_the_good_model(device: Device, three: list[Published]) -> None:
    """Also to root, who may write everywhere but there."""
    device.bring(three[0])
    device.bring(three[1], "trial")
    device.store.close()
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc", REMOUNTED, str(device.folder)]
    probe = subprocess.run([*mount, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine gives no user namespace in which a folder can be mounted read-only")
    run = [*mount, sys.executable, "-c", READ_ONLY, str(device.folder)]
    done = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ})
    serving, error = done.stdout.splitlines()
    assert serving == "1.0.0"
    assert "cannot be written (Read-only file system)" in error
    device.store = Store(device.folder)


def test_a_full_disk_still_serves_the_good_model(tmp_path: Path, three: list[Published]) -> None:
    bundles = [str(published.folder) for published in three[:2]]
    done = on_small_disk(tmp_path, "256k", [sys.executable, "-c", FULL, str(tmp_path), *bundles])
    assert done.returncode == 0, done.stderr
    serving, error, after = done.stdout.splitlines()
    assert serving == "1.0.0 False"
    assert "No space left on device" in error
    assert after == "2.0.0"
