"""The fleet.

x
x
"""
