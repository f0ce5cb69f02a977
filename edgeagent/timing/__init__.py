"""Time: back-off, rate limits, latency histograms, durations and time stamps.

``backoff`` gives the delays between attempts, ``rate_limit`` limits messages, ``histogram`` collects stage
times in fixed memory and gives percentiles, ``stopwatch`` measures durations across restarts by a monotonic
clock, ``utc`` formats wall-clock time, ``guarded_thread`` runs a part again after a fault.
"""
