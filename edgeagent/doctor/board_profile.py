"""Board profiles: what is known of a board, and their reader.

A profile is a file of ``config/boards/`` that is installed with the program; ``accelerators.yaml`` there
describes what can be plugged into several boards. A profile recommends and configures nothing by itself: the
agent tries, checks and measures every delegate anyway. Figures stand there only with a source.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edgeagent.engines.delegates import find_delegates
from edgeagent.errors import ConfigurationError, NoCandidateError
from edgeagent.files.resources import board_folder
from edgeagent.files.yaml_model import load_model
from edgeagent.settings.sections.model import LibrarySettings

ACCELERATORS = "accelerators.yaml"

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
PowerSensor = Literal["ina3221", "rpi_pmic", "hwmon_power", "none"]
"""Module of :mod:`edgeagent.sensors` that reads the power; ``none``: the board has no sensor."""


def _delegates(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        for name in names:
            find_delegates(name)
    except NoCandidateError as error:
        raise ValueError(str(error)) from None
    return names


Delegates = Annotated[tuple[str, ...], AfterValidator(_delegates)]
"""Names of :data:`edgeagent.engines.delegates.CATALOGUE`, the expected fastest one first."""


class ProfilePart(BaseModel):
    """Base of all parts of a profile: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Trap(ProfilePart):
    """A known difficulty.

    Attributes:
        what: its symptom or cause.
        remedy: what to do.
        source: where it is described; None where it follows from this program.
    """

    what: Text
    remedy: Text
    source: Text | None = None


class CameraLine(ProfilePart):
    """Camera settings for a connector of the board.

    Attributes:
        connector: such as ``CSI``.
        source, width, height, fps: as in the configuration.
        needs: what must be installed; None for nothing.
    """

    connector: Text
    source: Text
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    needs: Text | None = None


class Packages(ProfilePart):
    """Packages of the board.

    Attributes:
        apt: of the board's distribution.
        pip: for the Python that runs the agent, with their index where it is not PyPI.
    """

    apt: tuple[Text, ...] = ()
    pip: tuple[Text, ...] = ()


class BoardPower(ProfilePart):
    """Source of power readings.

    Attributes:
        sensor: module that reads it.
        covers: what the reading covers, or what to do without one.
    """

    sensor: PowerSensor
    covers: Text


class ThermalLimit(ProfilePart):
    """Temperature at which the board protects itself.

    Attributes:
        celsius: degrees.
        effect: what the board does there.
        source: of the figure.
    """

    celsius: float
    effect: Text
    source: Text


class BoardSystem(ProfilePart):
    """Operating system of the board.

    Attributes:
        name: such as ``JetPack 6``.
        jetson_linux: first number of the Jetson Linux release in /etc/nv_tegra_release; None for others.
        version_id: VERSION_ID of os-release(5). A system without both keys is any other one of the board.
        python: version of its ``python3``; None where it depends on the image.
        advice: what to do, where its Python or its packages do not run the agent; None where they do.
    """

    name: Text
    jetson_linux: int | None = None
    version_id: Text | None = None
    python: Annotated[str, Field(pattern=r"^3\.\d+$")] | None = None
    advice: Text | None = None


class Accelerator(ProfilePart):
    """What can be plugged into several boards.

    Attributes:
        name: of the accelerator.
        title: for people.
        nodes: glob patterns of its device nodes below the root.
        usb: vendor:product of its USB devices.
        delegates: that use it.
        packages: that it needs.
        traps: known difficulties.
    """

    name: Name
    title: Text
    nodes: tuple[Text, ...] = ()
    usb: tuple[Text, ...] = ()
    delegates: Delegates
    packages: Packages = Packages()
    traps: tuple[Trap, ...] = ()


class BoardProfile(ProfilePart):
    """Profile of a board.

    Attributes:
        name: of the file, without its suffix.
        title: for people.
        compatible: glob patterns of strings in /proc/device-tree/compatible.
        models: glob patterns of /proc/device-tree/model, for a tree without a known compatible string.
        cameras: lines for its connectors, the usual one first.
        delegates: in the order of their expected speed.
        library: TFLite delegate that is not in the catalogue; None without one.
        power: source of power readings.
        thermal_zones: types of its thermal zones that telemetry shows.
        thermal_limits: known limits; empty where no source gives them.
        systems: operating systems with their Python.
        accelerators: names of :class:`Accelerator` that fit.
        packages: recommended ones.
        traps: known difficulties.
        sources: of the facts.
    """

    name: Name
    title: Text
    compatible: Annotated[tuple[Text, ...], Field(min_length=1)]
    models: tuple[Text, ...] = ()
    cameras: Annotated[tuple[CameraLine, ...], Field(min_length=1)]
    delegates: Annotated[Delegates, Field(min_length=1)]
    library: LibrarySettings | None = None
    power: BoardPower
    thermal_zones: tuple[Text, ...] = ()
    thermal_limits: tuple[ThermalLimit, ...] = ()
    systems: Annotated[tuple[BoardSystem, ...], Field(min_length=1)]
    accelerators: tuple[Name, ...] = ()
    packages: Packages = Packages()
    traps: tuple[Trap, ...] = ()
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]


class AcceleratorFile(ProfilePart):
    """Content of ``accelerators.yaml``.

    Attributes:
        accelerators: all of them.
    """

    accelerators: tuple[Accelerator, ...]


def load_accelerators() -> dict[str, Accelerator]:
    """Return the installed accelerators by name.

    Raises:
        ConfigurationError: the file is damaged.
    """
    path = board_folder() / ACCELERATORS
    content = load_model(path, AcceleratorFile, "the file of accelerators", ConfigurationError, "is missing")
    return {one.name: one for one in content.accelerators}


def load_profiles() -> dict[str, BoardProfile]:
    """Return the installed profiles by name.

    Raises:
        ConfigurationError: a file is damaged.
    """
    paths = sorted(board_folder().glob("*.yaml"))
    profiles = (_load(path) for path in paths if path.name != ACCELERATORS)
    return {profile.name: profile for profile in profiles}


def find_profile(name: str) -> BoardProfile:
    """Return a profile.

    Raises:
        ConfigurationError: there is none of that name.
    """
    profiles = load_profiles()
    if name not in profiles:
        raise ConfigurationError(f"no board profile is called {name!r}; choose from {', '.join(profiles)}")
    return profiles[name]


def _load(path: Path) -> BoardProfile:
    profile = load_model(path, BoardProfile, "the board profile", ConfigurationError, "is missing")
    if profile.name != path.stem:
        raise ConfigurationError(f"{path}: name: expected {path.stem}, as the file is called")
    return profile
