"""Autobahn|Testsuite against ws4py's servers, with verdicts that are committed.

See README.md beside this file. Nothing here belongs to the library: it drives a server from
outside, as any client would, and must never import ws4py except in the programs under servers/.
"""
