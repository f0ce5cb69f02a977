"""Tests of changed settings at a running agent."""
