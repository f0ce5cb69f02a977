"""Tests of the proposal of a description."""
