"""Who is in the chat and what was said last.

Knows nothing of sockets: a member is any hashable object. Locked, because WebSocket callbacks and
page handlers run on different threads.
"""

import threading
from collections import deque

HISTORY_LIMIT = 50


class Room:
    """The members with their names, and the last lines of the chat."""

    def __init__(self):
        self._lock = threading.Lock()
        self._names = {}
        self._history = deque(maxlen=HISTORY_LIMIT)

    def enter(self, member, wanted):
        """Name the member as wanted, numbered if taken; return that name and the one before."""
        with self._lock:
            before = self._names.pop(member, None)
            taken = {name.casefold() for name in self._names.values()}
            name, number = wanted, 2
            while name.casefold() in taken:
                name, number = f"{wanted} {number}", number + 1
            self._names[member] = name
            return name, before

    def leave(self, member):
        """Forget the member and return the name it had, if it had one."""
        with self._lock:
            return self._names.pop(member, None)

    def name_of(self, member):
        with self._lock:
            return self._names.get(member)

    def people(self):
        with self._lock:
            return sorted(self._names.values(), key=str.casefold)

    def remember(self, line):
        with self._lock:
            self._history.append(line)

    def history(self):
        with self._lock:
            return list(self._history)
