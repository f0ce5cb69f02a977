"""Trial of a model on the board: gate before activation, probation afterwards.

``gate`` runs a model with the delegate that would serve it; ``gate_checks`` compares the measurements with
the limits and ``gate_report`` stores the results. ``probation`` supervises the serving model against the last
good one, by the statistics of ``behaviour``. ``model_runner`` executes gate, trial and rollback for the
updater.
"""
