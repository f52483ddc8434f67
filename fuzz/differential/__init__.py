"""The same bytes to other implementations: where they differ, the reason is written down."""
