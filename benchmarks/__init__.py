"""Measurements that anybody can repeat: `make bench`, or one of them as `python -m benchmarks isolation`.

docs/performance.md says what a request, a sign-out and a start cost, docs/benchmarks.md what one person's trouble is to
others, docs/scaling.md how far one goes. Servers run as processes, sites are real sockets, and nothing in the product
knows that it is measured. `load`, `traffic` and `servers` are what everything else here is made of.
"""
