"""API of the fleet for programs: REST with a description (OpenAPI 3.1), and totals for Prometheus.

``fleet_api`` has the operations, ``api_actor`` who makes a request, ``api_types`` what goes in and out beside
the results of queries; ``fleet_metrics`` answers Prometheus.
"""
