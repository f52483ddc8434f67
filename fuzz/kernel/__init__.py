"""The engine over a kernel that has bad days: c/kernel.c stands between them."""
