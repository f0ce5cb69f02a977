"""Worker of the ingest: a connection to the broker, batches, and acknowledgements after a batch is stored.

::

    message -> row, or dead letter -> batch --BATCH messages or BATCH_S--> stored -> acknowledged
                                        |
                                        +--the store fails: kept and tried again; the broker waits

The broker sends at most ``RECEIVE_MAXIMUM`` messages that are not acknowledged (MQTT 5, 3.1.2.11.3), so that
a store that is slow or full makes the broker keep the others. A worker that is killed has acknowledged
nothing that is not stored: the broker sends it again when the worker, with the same client ID, is back. What
was stored but not acknowledged is stored twice, and counts once.

With MQTT 3.1.1 there is neither a shared subscription nor a receive maximum: one worker reads all, and how
many messages the broker sends before it waits for acknowledgements is a setting of the broker.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from datetime import datetime, timezone
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgeagent.fleet.ingest.arrival import FleetMessage, split_topic
from edgeagent.fleet.ingest.batch import DEAD_LETTERS, Acknowledgement, MessageBatch, dead_letter
from edgeagent.fleet.ingest.fields import UnreadableError
from edgeagent.fleet.ingest.message_rows import row_of
from edgeagent.fleet.ingest.options import SESSION_S, IngestPart
from edgeagent.fleet.ingest.storing import BatchStoring
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.settings.addresses import host_and_port
from edgeagent.telemetry.contract.messages import ROOT
from edgeagent.telemetry.mqtt.client import connect_in_background, plain_client, retry_delays
from edgeagent.timing.guarded_thread import GuardedThread

logger = logging.getLogger(__name__)

LARGEST_PACKET = 1024 * 1024
"""Bytes of a packet that the broker may send; larger ones it discards (MQTT 5, 3.1.2.11.4)."""
MOST_UNACKNOWLEDGED = 4 * 20_000
"""Messages with QoS 0 that wait at most; nothing else bounds them."""
NO_MQTT_5 = 0x84
"""Reason code "unsupported protocol version" (MQTT 5, 3.2.2.2)."""
OLDER = "start the ingest with --mqtt-version 3.1.1, which reads with one worker"
LAST_BATCH_S = 8.0
"""Time for the last batch when the worker is stopped."""


class IngestWorker:
    """Receiver of messages.

    Args:
        part: options.
        store: of the fleet.

    Attributes:
        refusal: why this broker cannot be used as it is configured; None while nothing is known against it.
        subscribed: set once the broker has confirmed the subscription.
        counts: messages ``received``, ``stored``, ``dead`` and ``dropped`` (QoS 0, while the store fails).
    """

    def __init__(self, part: IngestPart, store: FleetStore) -> None:
        self._part, self._options = part, part.options
        self._stopping, self._giving_up = threading.Event(), threading.Event()
        self._storing = BatchStoring(store, self._giving_up)
        self._changed = threading.Condition()
        self._batch: MessageBatch | None = None
        self._connection = 0
        self._known = False  # whether retained messages have been asked for
        self._told_unreachable = False
        self.refusal: str | None = None
        self.subscribed = threading.Event()
        self.counts: Counter[str] = Counter()
        self._client = self._new_client()
        self._thread = GuardedThread(self._store_batches, "batches", vital=True)

    def start(self) -> None:
        """Connect in the background, and store what comes."""
        broker = self._options.broker
        self._thread.start()
        if not self._options.shares:
            connect_in_background(self._client, broker)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = min(65535, 2 * self._options.batch)
        properties.SessionExpiryInterval = SESSION_S
        properties.MaximumPacketSize = LARGEST_PACKET
        self._client.connect_async(
            broker.host or "",
            broker.port,
            keepalive=max(1, round(broker.keepalive)),
            clean_start=False,
            properties=properties,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Store and acknowledge what was received, and disconnect; the broker keeps what comes later."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(LAST_BATCH_S)
        self._giving_up.set()
        self._thread.join(LAST_BATCH_S)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def healthy(self) -> bool:
        """Whether the thread that stores is there."""
        return self._thread.is_alive() or self._stopping.is_set()

    def _new_client(self) -> paho.Client:
        client = plain_client(self._options.broker, self._part.client_id, keeps_session=True)
        client.manual_ack_set(True)
        client.reconnect_delay_set(*retry_delays(self._options.broker))
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    @property
    def _address(self) -> str:
        return host_and_port(str(self._options.broker.host), self._options.broker.port)

    def _on_connect_fail(self, client: paho.Client, data: Any) -> None:
        if self._told_unreachable:
            return
        self._told_unreachable = True
        error = sys.exc_info()[1]  # paho calls this while it handles the failure
        logger.error("broker %s cannot be reached (%s); trying again", self._address, error or "no answer")

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        address, self._told_unreachable = self._address, False
        if code.value == NO_MQTT_5:
            self.refusal = f"broker {address} has no MQTT 5 (RabbitMQ before 3.13, NATS); {OLDER}"
            return
        if code.is_failure:
            logger.error("broker %s refuses the connection (%s); trying again", address, code)
            return
        with self._changed:
            self._connection += 1
        if getattr(more, "SharedSubscriptionAvailable", 1) == 0 and self._part.kind == "shared":
            self.refusal = f"broker {address} has no shared subscriptions (RabbitMQ); {OLDER}"
            return
        if not self._options.shares:
            # The session has the subscriptions; to subscribe again would bring all retained messages again.
            if self._known and flags.session_present:
                self._note_subscribed()
            else:
                client.subscribe([(topic, 1) for topic in self._part.filters()])
            return
        # At the start all retained messages; later only where the broker has forgotten the subscription.
        retained = (
            SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            if self._known
            else SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
        )
        options = SubscribeOptions(qos=1, retainHandling=retained)
        client.subscribe([(topic, options) for topic in self._part.filters()])

    def _on_subscribe(
        self, client: paho.Client, data: Any, number: int, codes: list[ReasonCode], more: Any
    ) -> None:
        refused = [topic for topic, code in zip(self._part.filters(), codes, strict=False) if code.is_failure]
        if refused:
            logger.error(
                "the broker refuses the subscription of %s; give the user the right to read it", refused
            )
        else:
            self._known = True
            self._note_subscribed()

    def _note_subscribed(self) -> None:
        logger.info("%s is connected and subscribed", self._part.client_id)
        self.subscribed.set()

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, code: ReasonCode, more: Any) -> None:
        with self._changed:
            self._connection += 1
        if not self._stopping.is_set():
            logger.warning("the broker was lost (%s); trying again", code)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        stored = datetime.now(timezone.utc)
        table, row = self._read(message, stored)
        with self._changed:
            self.counts["received"] += 1
            if message.qos == 0 and self._batch is not None and self._batch.messages >= MOST_UNACKNOWLEDGED:
                self.counts["dropped"] += 1
                return
            if self._batch is None:
                self._batch = MessageBatch(time.monotonic())
                self._changed.notify_all()
            batch = self._batch
            batch.messages += 1
            if row is not None:
                batch.add(table, row)
            if message.qos:
                batch.acknowledgements.append(Acknowledgement(self._connection, message.mid))
            if batch.messages == self._options.batch:
                self._changed.notify_all()

    def _read(self, message: paho.MQTTMessage, stored: datetime) -> tuple[str, dict[str, Any] | None]:
        """Return the table and the row of a message, which is that of a dead letter if need be."""
        payload = bytes(message.payload)
        try:
            topic = message.topic
            split = split_topic(topic, ROOT)
        except UnicodeDecodeError:
            topic, split = repr(message), None
            error = UnreadableError("topic", "the topic is not UTF-8")
        except UnreadableError as found:
            split, error = None, found
        tenant, device, stream, parameter = split or ("", "", "", "")
        read = FleetMessage(
            tenant, topic, device, stream, parameter, payload, message.qos, message.retain, stored
        )
        if split is not None:
            try:
                return row_of(read) or ("", None)
            except UnreadableError as found:
                error = found
            except Exception as unexpected:
                logger.exception("a message of %s cannot be read; report this as a bug of edgeagent", topic)
                error = UnreadableError("internal", f"{type(unexpected).__name__}: {unexpected}")
        self.counts["dead"] += 1
        return DEAD_LETTERS, dead_letter(read, error)

    def _store_batches(self) -> None:
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            if not self._storing.store(batch):
                return
            with self._changed:
                self.counts["stored"] += batch.messages
                connection = self._connection
            for each in batch.acknowledgements:
                # Of an earlier connection: the broker sends the message again, under an ID that it chooses.
                if each.connection == connection:
                    self._client.ack(each.mid, 1)

    def _next_batch(self) -> MessageBatch | None:
        """Return the next batch once it is full or old enough; None when the worker stops without one."""
        with self._changed:
            while True:
                batch = self._batch
                if batch is None:
                    if self._stopping.is_set():
                        return None
                    self._changed.wait()
                    continue
                left = batch.opened + self._options.batch_s - time.monotonic()
                if batch.messages >= self._options.batch or left <= 0 or self._stopping.is_set():
                    self._batch = None
                    return batch
                self._changed.wait(left)
