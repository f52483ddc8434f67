"""Attacks and faults against ws4py's servers, each with the outcome that is promised.

See README.md here; the table of the last run is docs/chaos-table.md.
"""
