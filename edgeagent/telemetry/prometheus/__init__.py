"""Prometheus adapter: the message contract as metrics.

``metrics`` and ``model_metrics`` map the latest messages to metric families, which ``metric_source`` keeps;
``exporter`` serves them under /metrics with the package prometheus-client (extra "prometheus"). The export by
OTLP (:mod:`edgeagent.telemetry.otlp`) takes the same families.
"""
