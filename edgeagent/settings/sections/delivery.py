"""The ``delivery`` section of the configuration: where models come from, and what one must show to serve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, field_validator, model_validator

from edgeagent.settings.types import Bytes, Fraction, Seconds, SettingsSection, TopicLevel

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class GateSettings(SettingsSection):
    """What a model must show on this board before it serves.

    Attributes:
        p90_ms: 90th percentile of one inference at most; None does not ask.
        temperature_c: hottest thermal zone at most, before and after; None does not ask.
        memory: resident memory of its worker at most; None does not ask.
        golden_required: refuse a bundle without golden pictures.
        accuracy_required: refuse a bundle without labelled golden pictures, or where mAP cannot be measured.
    """

    p90_ms: Annotated[float, Field(gt=0)] | None = None
    temperature_c: Annotated[float, Field(gt=0)] | None = None
    memory: Bytes | None = None
    golden_required: bool = True
    accuracy_required: bool = False


class ProbationSettings(SettingsSection):
    """How a model that passed the gate is watched while it serves.

    Attributes:
        time, frames: both must have passed before the trial is good.
        strikes: worker crashes, hangs and starts of the agent that are too many.
        slower: p90 latency at most this many times the last good model's.
        rate_change: relative change of detections per frame against the last good model that is too much.
        score_change: change of the mean score that is too much.
        shadow_every: also run the last good model on every k-th frame and compare; 0 does not.
        agreement: share of boxes matched with the shadow at least.
    """

    time: Seconds = 600.0
    frames: Annotated[int, Field(ge=0)] = 1000
    strikes: Annotated[int, Field(gt=0)] = 3
    slower: Annotated[float, Field(gt=1)] = 2.0
    rate_change: Annotated[float, Field(gt=0)] = 0.7
    score_change: Fraction = 0.25
    shadow_every: Annotated[int, Field(ge=0)] = 0
    agreement: Fraction = 0.5


class HawkbitSettings(SettingsSection):
    """An Eclipse hawkBit server that decides when this device looks for which model.

    Attributes:
        url: of the server, https unless it is on this machine.
        tenant: of the server.
        controller: name of this device there; None is ``device``.
        token_file: file whose first line is the target or gateway token; kept out of the configuration.
        gateway: the token is a gateway token.
    """

    url: str
    tenant: TopicLevel = "DEFAULT"
    controller: TopicLevel | None = None
    token_file: Path
    gateway: bool = False

    @field_validator("url")
    @classmethod
    def _token_is_not_sent_in_clear_text(cls, value: str) -> str:
        parts = urlsplit(value)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise ValueError("expected https://, a host, and a path where the server has one")
        if parts.scheme == "http" and not local:
            raise ValueError(
                "http:// would send the token in clear text; only https:// may leave this machine"
            )
        if "@" in parts.netloc:
            raise ValueError("a password in the URL is not used; the token is in token_file")
        return value


class DeliverySettings(SettingsSection):
    """Where models come from.

    Attributes:
        repository: URL or folder of the repository that ``edgeagent publish`` makes.
        root: trusted root metadata of it, shipped with the configuration.
        channel: of the repository.
        boards: names that this board answers to, beside those that are detected and ``any``.
        labels: cohorts that this device belongs to.
        check_every: between two looks, give or take ``jitter``.
        jitter: share of ``check_every`` by which a look is earlier or later.
        bandwidth: bytes per second at most; None does not limit.
        proxy: URL of an HTTP proxy; None takes that of the environment.
        ca: file with the certificates to trust; None trusts the system's.
        deadline: after which an update that is not yet serving is given up.
        keep: bytes of slots at most, beside the current and the previous good model.
        keep_time: after which other slots are deleted.
        gate, probation: what a model must show.
        hawkbit: server that drives this device; None follows the channel.
    """

    repository: Annotated[str, StringConstraints(min_length=1)]
    root: Path
    channel: Label = "stable"
    boards: tuple[Label, ...] = ()
    labels: tuple[Label, ...] = ()
    check_every: Seconds = 3600.0
    jitter: Fraction = 0.5
    bandwidth: Bytes | None = None
    proxy: str | None = None
    ca: Path | None = None
    deadline: Seconds = 86400.0
    keep: Bytes = 500_000_000
    keep_time: Seconds = 30 * 86400.0
    gate: GateSettings = GateSettings()
    probation: ProbationSettings = ProbationSettings()
    hawkbit: HawkbitSettings | None = None

    @model_validator(mode="after")
    def _repository_is_url_or_folder(self) -> DeliverySettings:
        scheme = self.repository.split("://")[0] if "://" in self.repository else "file"
        if scheme not in ("http", "https", "file"):
            raise ValueError(f"repository: expected http://, https:// or a folder, not {scheme}://")
        return self
