"""Decisions about rollouts, by what the store knows of the devices."""
