"""A small site as many are: a factory, Flask-Login with a table of its own, CSRFProtect, one guard for all pages."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Flask, current_app, flash, redirect, render_template_string, request, url_for
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
)
from flask_wtf.csrf import CSRFProtect
from markupsafe import Markup
from werkzeug.security import check_password_hash, generate_password_hash

TABLES = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL, password TEXT NOT NULL DEFAULT '',
    active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES users, text TEXT NOT NULL);
"""

PAGE = """<!doctype html><html lang="en"><title>Notes</title>
<header>{% if current_user.is_authenticated %}{{ current_user.username }}
<form method="post" action="{{ url_for('accounts.logout') }}">
<input type="hidden" name="csrf_token" value="{{ csrf_token() }}"><button>Sign out</button></form>
{% endif %}</header>
{% for message in get_flashed_messages() %}<p>{{ message }}</p>{% endfor %}
{{ body }}</html>"""

LOGIN_FORM = """<form method="post"><input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
<input name="username"><input name="password" type="password">
<label><input type="checkbox" name="remember"> Remember me</label><button>Sign in</button></form>"""

NOTES = """<ul>{% for note in notes %}<li>{{ note.text }}</li>{% endfor %}</ul>
<form method="post" action="{{ url_for('notes.add') }}">
<input type="hidden" name="csrf_token" value="{{ csrf_token() }}"><input name="text"><button>Add</button></form>"""

login_manager = LoginManager()
csrf = CSRFProtect()
accounts = Blueprint("accounts", __name__)
notes = Blueprint("notes", __name__)

PUBLIC = {"static", "healthz", "accounts.login"}


class Account(UserMixin):
    """A row of the table `users`."""

    def __init__(self, row: sqlite3.Row) -> None:
        self.id = row["id"]
        self.username = row["username"]
        self.active = bool(row["active"])

    @property
    def is_active(self) -> bool:
        return self.active


@contextmanager
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(current_app.config["DATABASE"])
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()


@login_manager.user_loader
def load_account(number: str) -> Account | None:
    with database() as db:
        row = db.execute("SELECT * FROM users WHERE id = ?", (number,)).fetchone()
    return None if row is None else Account(row)


def add_account(username: str, password: str) -> None:
    with database() as db:
        row = (username, generate_password_hash(password, "pbkdf2:sha256:1000"))
        db.execute("INSERT INTO users (username, password) VALUES (?, ?)", row)


def guard():  # every page but a few is for those who are signed in
    if request.endpoint in PUBLIC or current_user.is_authenticated:
        return None
    return login_manager.unauthorized()


@accounts.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        with database() as db:
            row = db.execute("SELECT * FROM users WHERE username = ?", (request.form["username"],)).fetchone()
        if row is not None and check_password_hash(row["password"], request.form["password"]):
            login_user(Account(row), remember="remember" in request.form)
            return redirect(url_for("notes.index"))
        flash("Wrong user name or password.")
    return show(LOGIN_FORM)


@accounts.post("/logout")
@login_required
def logout():
    logout_user()
    return redirect("/healthz")


@accounts.post("/close")
@fresh_login_required
def close():
    with database() as db:
        db.execute("UPDATE users SET active = 0 WHERE id = ?", (current_user.id,))
    return redirect("/healthz")


@notes.get("/")
@login_required
def index():
    with database() as db:
        found = db.execute("SELECT * FROM notes WHERE owner = ?", (current_user.id,)).fetchall()
    return show(NOTES, notes=found)


@notes.post("/notes")
@login_required
def add():
    with database() as db:
        db.execute("INSERT INTO notes (owner, text) VALUES (?, ?)", (current_user.id, request.form["text"]))
    return redirect(url_for("notes.index"))


def show(body: str, **values: object) -> str:
    return render_template_string(PAGE, body=Markup(render_template_string(body, **values)))


def create_app(**config: object) -> Flask:
    app = Flask(__name__)
    app.config.update(config)
    login_manager.login_view = "accounts.login"
    login_manager.init_app(app)
    csrf.init_app(app)
    app.before_request(guard)
    app.register_blueprint(accounts)
    app.register_blueprint(notes)
    app.add_url_rule("/healthz", "healthz", lambda: "ok")
    with app.app_context(), database() as db:
        db.executescript(TABLES)
    return app
