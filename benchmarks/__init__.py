"""ws4py's servers measured beside C and beside every peer, in one run on one machine.

See README.md beside this file. Nothing here belongs to the library: the servers under peers/ are
driven from outside, and only the programs there may import ws4py.
"""
