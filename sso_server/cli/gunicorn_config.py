"""gunicorn's settings for the centre. Forwarding headers are our own matter (web/client_ip.py), so gunicorn trusts
nobody's.
"""

from __future__ import annotations

worker_class = "gthread"
threads = 8
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
