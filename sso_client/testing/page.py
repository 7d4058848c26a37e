"""What came back from the site under test, and what it means when that isn't what a test relies on."""

from dataclasses import dataclass


class SignInFailed(AssertionError):
    """The site did not sign the person in; the text says where it stopped."""


class LogoutNotDone(AssertionError):
    """The site did not do what a logout call says; the text says what it answered."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the site. `text` is the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever the case of its name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def location(self) -> str | None:
        """Where a redirect leads, None if this is none."""
        return self.header("Location") if 300 <= self.status < 400 else None
