"""gunicorn's settings for the centre. Forwarding headers are our own matter (web/client_ip.py), so gunicorn trusts
nobody's.
"""

from __future__ import annotations

worker_class = "gthread"
# Most of a request is waiting for a store, and ten may stand in line for a password's hash (crypto/passwords.py): the
# others are there for check-ins and tokens.
threads = 32
keepalive = 5
timeout = 30
graceful_timeout = 8
# A sealed sign-in request travels in the URL.
limit_request_line = 8190
limit_request_fields = 60
forwarded_allow_ips = ""
proxy_allow_ips = ""
control_socket_disable = True
umask = 0o077
accesslog = None
errorlog = "-"
loglevel = "warning"
