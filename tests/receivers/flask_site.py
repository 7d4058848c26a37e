"""A site around docs/receivers/flask_receiver.py: local sessions can be opened and counted from outside."""

from flask import request
from flask_receiver import app, sessions


@app.route("/sessions", methods=["GET", "POST"])
def local_sessions():
    if request.method == "POST":
        sessions.update(request.get_json())
    return sessions
