"""Small sites that embed the SDK, for `sso demo`: each imports sso_client and Flask, nothing else."""
