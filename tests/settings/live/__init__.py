"""Tests of changes while the agent runs."""
