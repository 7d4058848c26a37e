"""Where things are kept: one folder per engine, each behind the same ports of the core."""
