"""Delivery of models and of signed configurations, as far as the settings and the state folder have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgeagent.camera.capture import Camera
from edgeagent.daemon.state_messages import StateMessages
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.journal import Journal
from edgeagent.errors import DeliveryError
from edgeagent.settings.schema import Settings
from edgeagent.telemetry.mqtt.interface import Publisher

if TYPE_CHECKING:
    from edgeagent.daemon.signed_configuration import SignedConfiguration
    from edgeagent.delivery.configuration.serving import ServedConfiguration
    from edgeagent.delivery.service import Delivery
    from edgeagent.delivery.state.record import Record
    from edgeagent.delivery.state.store import Store


def build_delivery(
    settings: Settings,
    store: Store | None,
    models: ModelExchange,
    journal: Journal | None,
    on_change: Callable[[Record], None],
    state: StateMessages,
) -> Delivery | None:
    """Return the delivery of models; None without a store, or where it cannot start, which is an alarm.

    Args:
        settings: settings of the agent.
        store: models of this device; None where delivery is not configured or the store cannot be used.
        models: model that serves.
        journal: of trials of delegates.
        on_change: called when a deployment has changed.
        state: receiver of the alarm.
    """
    if store is None:
        return None
    # imported here, since its libraries take memory
    from edgeagent.delivery.service import Delivery

    try:
        return Delivery(settings, store, models, journal, on_change)
    except DeliveryError as error:
        state.delivery_unavailable(f"{error}; no models are delivered until the next start")
        return None


def build_signed_configuration(
    served: ServedConfiguration | None,
    delivery: Delivery | None,
    models: ModelExchange,
    cameras: Sequence[Camera],
    publisher: Publisher,
    state: StateMessages,
    start_again: Callable[[], None],
) -> SignedConfiguration | None:
    """Return what judges the signed configuration that serves; None where none can be delivered.

    Args:
        served: signed configuration that serves; None where none is followed.
        delivery: delivery of models, with which configurations come.
        models: model that serves.
        cameras: all cameras.
        publisher: connection to the broker; by these three a configuration on trial is judged.
        state: receiver of changes.
        start_again: makes the agent start again with another configuration.
    """
    if served is not None and delivery is None:
        served.unjudged("models are not delivered with it, as they were before")
    if served is None or served.store is None or delivery is None:
        return None
    # imported here, since its libraries take memory
    from edgeagent.daemon.signed_configuration import PartsInSight, SignedConfiguration

    parts = PartsInSight(models, cameras, publisher)
    return SignedConfiguration(served, delivery, parts, state, start_again)
