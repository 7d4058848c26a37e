"""Measurements that anybody can repeat: `make bench`, or one of them as `python -m benchmarks.isolation`.

docs/benchmarks.md says what each means. The centre runs as processes (`sso serve`), sites are real sockets, sessions
are seeded through the ports. Nothing in the product knows that it is measured.
"""
