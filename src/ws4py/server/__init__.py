"""One module for each server; none of them knows another."""
