"""Prometheus adapter: the message contract as metrics.

``metrics`` maps the latest messages to metric families; ``exporter`` serves them under /metrics with the
package prometheus-client (extra "prometheus").
"""
