"""The servers that are compared, each a program of its own in its own environment.

A program is started as `PROGRAM echo|broadcast [options]`, serves WebSocket at /ws on a free port
of 127.0.0.1 with compression off, prints that port as the only line of its output once it accepts
connections, and runs until it is ended. It is written as the documentation of its library suggests:
whatever were tuned here that a user would not find would be a figure that nobody gets.
"""
