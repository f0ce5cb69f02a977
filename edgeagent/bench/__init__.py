"""Benchmark of every delegate on this machine, by the rules of MLPerf's load generator.

Start with ``run``, which measures the candidates of ``measured_candidates`` and returns the report of
``results``. ``cold_start`` loads a candidate in a fresh process, ``load_generator`` times queries,
``camera_scenario`` plays a clip through the pipeline, ``sampled_meter`` measures energy, ``machine`` reads
the thermal state. ``rows``, ``early_stopping`` and ``interleaving`` turn measurements into percentiles and
ratios. ``table``, ``page``, ``svg``, ``comparison`` and ``terminal`` display reports.
"""
