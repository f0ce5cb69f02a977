"""Measuring engines and artefacts on this machine, by the rules of MLPerf's load generator."""
