"""One folder per protocol, one file per endpoint. A front knows core and web, and never another front."""
