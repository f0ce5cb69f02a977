"""OTLP adapter: the metrics of the Prometheus adapter, sent to a collector of OpenTelemetry.

``metrics_data`` turns metric families into OpenTelemetry's data model, ``otlp_exporter`` sends them at an
interval. ``otlp_client`` encodes them with the packages of OpenTelemetry (extra "otlp") and hands them to
``pinned_session``, which reaches the configured address and no other. ``header_file`` reads request headers.
"""
