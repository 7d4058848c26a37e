"""Template tags: `{% load sso %}`."""
