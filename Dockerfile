# One image for the centre and the demo sites. The wheel is built once; the second stage holds no compiler and no sources.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY sso_server sso_server
COPY sso_client sso_client
COPY demo_apps demo_apps
RUN pip install --constraint constraints.txt hatchling \
 && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m venv /opt/lockstep \
 && /opt/lockstep/bin/pip install --constraint constraints.txt "$(echo /wheels/lockstep_sso-*.whl)[server,redis,postgres,granian]"

FROM python:3.11-slim-bookworm
# 10001 is nobody on the host. These folders belong to it, so that a new named volume does too; secrets that other servers
# need as well are readable for the group.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin lockstep \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/lockstep /var/lib/site /var/lib/sites/one /var/lib/sites/two \
 && install --directory --owner=10001 --group=10001 --mode=0750 /secrets /secrets/centre /secrets/postgres /secrets/redis
COPY --from=build /opt/lockstep /opt/lockstep
COPY --chmod=0755 scripts/compose-client scripts/compose-secrets /usr/local/bin/
ENV PATH=/opt/lockstep/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 SSO_DATA_DIR=/var/lib/lockstep
USER 10001:10001
WORKDIR /var/lib/lockstep
VOLUME /var/lib/lockstep
EXPOSE 9000
# The supervisor stops its children, and the worker finishes the send at hand.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9000/readyz', timeout=4)"]
CMD ["sso", "serve", "--bind", "0.0.0.0:9000"]
