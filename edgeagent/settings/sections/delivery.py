"""The ``delivery`` section of the configuration: repository, update checks, gate and probation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from edgeagent.settings.addresses import server_url
from edgeagent.settings.types import Bytes, Fraction, Seconds, SettingsSection, TopicLevel

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


LocalKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_*-]+(\.[A-Za-z0-9_*-]+)*$")]


class GateSettings(SettingsSection):
    """Gate settings: requirements that a model must meet on this board before it serves.

    Attributes:
        p90_ms: maximum 90th percentile of the inference time in milliseconds; None does not check.
        temperature_c: maximum temperature of the hottest thermal zone before and after, in degrees Celsius;
            None does not check.
        memory: maximum resident memory of the worker in bytes; None does not check.
        golden_required: whether to refuse a bundle without golden pictures.
        accuracy_required: whether to refuse a bundle without labelled golden pictures or where mAP cannot be
            measured.
    """

    p90_ms: Annotated[float, Field(gt=0)] | None = None
    temperature_c: Annotated[float, Field(gt=0)] | None = None
    memory: Bytes | None = None
    golden_required: bool = True
    accuracy_required: bool = False


class ProbationSettings(SettingsSection):
    """Probation settings: supervision of a model that passed the gate while it serves.

    Attributes:
        time, frames: duration in seconds and number of frames after which the model is good; both must pass.
        strikes: number of worker crashes, hangs and agent restarts at which the model is rolled back.
        slower: maximum ratio of the p90 latency to that of the last good model.
        rate_change: relative change of detections per frame against the last good model that fails.
        score_change: change of the mean score against the last good model that fails.
        shadow_every: compare every k-th frame with the last good model; 0 disables the comparison.
        agreement: minimum fraction of boxes matched with the last good model.
    """

    time: Seconds = 600.0
    frames: Annotated[int, Field(ge=0)] = 1000
    strikes: Annotated[int, Field(gt=0)] = 3
    slower: Annotated[float, Field(gt=1)] = 2.0
    rate_change: Annotated[float, Field(gt=0)] = 0.7
    score_change: Fraction = 0.25
    shadow_every: Annotated[int, Field(ge=0)] = 0
    agreement: Fraction = 0.5


class ConfigurationTrialSettings(SettingsSection):
    """Trial of a signed configuration.

    Attributes:
        within: seconds after the start in which everything that worked before must work again.
        steady: seconds for which it must work then.
        strikes: number of starts of the agent without a passed trial at which the one before comes back.
    """

    within: Seconds = 120.0
    steady: Seconds = 30.0
    strikes: Annotated[int, Field(gt=0)] = 3


class HawkbitSettings(SettingsSection):
    """hawkBit settings: an Eclipse hawkBit server that selects the model and the time of updates.

    Attributes:
        url: URL of the server; https unless the server is on this machine.
        tenant: tenant of the server.
        controller: controller ID of this device; None uses ``device``.
        token_file: file whose first line is the target or gateway token.
        gateway: whether the token is a gateway token.
    """

    url: str
    tenant: TopicLevel = "DEFAULT"
    controller: TopicLevel | None = None
    token_file: Path
    gateway: bool = False

    @field_validator("url")
    @classmethod
    def _token_is_not_sent_in_clear_text(cls, value: str) -> str:
        parts = urlsplit(server_url(value))
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme == "http" and not local:
            raise ValueError(
                "http:// would send the token in clear text; only https:// may leave this machine"
            )
        if "@" in parts.netloc:
            raise ValueError("a password in the URL is not used; the token is in token_file")
        return value


class AgentUpdateSettings(SettingsSection):
    """Settings of updates of the agent itself: its probation after a switch.

    Attributes:
        time: seconds of probation, the least.
        within: seconds after which it is rolled back if it does not detect or has not reached the broker.
        frames: frames that it must detect in, if the version before detected.
        starts: starts during the probation after which it is rolled back.
    """

    time: Seconds = 600.0
    within: Seconds = 1800.0
    frames: Annotated[int, Field(ge=0)] = 100
    starts: Annotated[int, Field(gt=0)] = 3


class DeliverySettings(SettingsSection):
    """Delivery settings.

    Attributes:
        repository: URL or folder of a repository created by ``edgeagent publish``. A query of the URL, such
            as the signature of an object store, is sent with the request of every file.
        root: trusted root metadata of the repository, shipped with the configuration.
        channel: channel of the repository.
        boards: board names that apply to this device, in addition to the detected ones and ``any``.
        labels: rollout cohorts of this device.
        check_every: mean seconds between two update checks.
        jitter: random variation of the interval, as a fraction of ``check_every``.
        bandwidth: maximum download rate in bytes per second; None does not limit.
        proxy: URL of an HTTP proxy; None uses that of the environment.
        ca: file of trusted CA certificates; None uses those of the system.
        deadline: seconds after which an update that does not serve yet is cancelled.
        keep: maximum total size of slots in bytes, in addition to the current and the previous good model.
        keep_time: seconds after which other slots are deleted.
        gate, probation: requirements before and after activation.
        local: keys of this file that no signed configuration changes, such as ``mqtt`` or
            ``cameras.yard.source``; ``*`` stands for any camera.
        configuration: trial of a signed configuration.
        hawkbit: hawkBit server that controls this device; None follows the channel.
        agent: updates of the agent itself by the channel; None takes none, whatever the channel offers.
    """

    repository: Annotated[str, StringConstraints(min_length=1)]
    root: Path
    channel: Label = "stable"
    boards: tuple[Label, ...] = ()
    labels: tuple[Label, ...] = ()
    check_every: Seconds = 3600.0
    jitter: Fraction = 0.5
    bandwidth: Bytes | None = None
    proxy: Annotated[str, AfterValidator(server_url)] | None = None
    ca: Path | None = None
    deadline: Seconds = 86400.0
    keep: Bytes = 500_000_000
    keep_time: Seconds = 30 * 86400.0
    gate: GateSettings = GateSettings()
    probation: ProbationSettings = ProbationSettings()
    local: tuple[LocalKey, ...] = ("mqtt",)
    configuration: ConfigurationTrialSettings = ConfigurationTrialSettings()
    hawkbit: HawkbitSettings | None = None
    agent: AgentUpdateSettings | None = None

    @field_validator("repository")
    @classmethod
    def _repository_is_url_or_folder(cls, value: str) -> str:
        scheme = value.split("://")[0].lower() if "://" in value else "file"
        if scheme not in ("http", "https", "file"):
            raise ValueError(f"expected http://, https:// or a folder, not {scheme}://")
        return value if scheme == "file" else server_url(value)
