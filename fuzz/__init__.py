"""Finds inputs, orders and answers of the kernel that nobody thought of; see README.md."""
