"""Readings of the board, one module per source. A reading that is not available is None or absent, never 0.

``power`` reads the best power sensor: ``ina3221``, ``ina238``, ``hwmon_power``, ``battery_power``,
``rpi_pmic``, ``rapl`` or the estimate of ``declared_power``. ``energy`` integrates it and
``inference_energy`` computes the energy per inference. ``device_state`` collects all other readings:
``thermal``, ``throttling``, ``cpufreq``, ``gpu``, ``devfreq``, ``apex``, ``hailo``. ``battery``
reads charge and mains, ``over_current`` counts supply events, ``footprint`` measures the agent, ``board``
identifies the machine. ``kernel_file`` and ``vcgencmd`` access sysfs and the firmware.
"""
