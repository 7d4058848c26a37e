"""`python -m sso_client doctor`. What it looks at is `sso_client.doctor`."""

import sys

from sso_client.doctor.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
