"""What holds for every address of a CAS service, whatever it is made of."""

from urllib.parse import urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sso_server.core.errors import InvalidRequest
from sso_server.core.service_urls import matches, normal_form
from tests.core.test_service_urls import APP, PAGE, SITE

PIECES = [
    "https://", "http://", "wiki.example.org", "evil.com", "/", "/app/", "//", "\\", "@", ":", ":443", "#", "?",
    "&", ".", "..", "%2e", "%2f", "%252f", "%5c", "%", "%25", ";",
    ";jsessionid=", "ticket=", "%74icket", "=", "é", "[::1]", "[", "]", "。", "／", "a",
    "A", "%41", "%c3%a9", "%C0%AF", "\t", "\ud800",
]  # fmt: skip
anything = st.one_of(
    st.text(), st.lists(st.sampled_from(PIECES), max_size=14).map("".join), st.text(st.characters(max_codepoint=127))
)
below = st.tuples(st.sampled_from([SITE, APP, PAGE]), anything).map("".join)


@settings(deadline=None)
@given(st.one_of(anything, below))
@example("https://wiki.example.org/app/%%3441")
@example("https://wiki.example.org/app/?%%3441")
@example("https://wiki.example.org/;jsessionid=;jsessionid=")
def test_the_normal_form_of_a_normal_form_is_itself(url):
    try:
        normal = normal_form(url)
    except InvalidRequest:
        return
    assert normal_form(normal) == normal
    assert normal.isascii()


@settings(deadline=None)
@given(st.one_of(anything, below), st.one_of(anything, below, st.sampled_from([SITE, APP, PAGE])))
def test_matching_never_fails_and_nothing_outside_of_the_origin_ever_matches(url, registered):
    matched = matches(registered, url)
    assert isinstance(matched, bool)
    if matched:
        wanted, given_url = urlsplit(normal_form(registered)), urlsplit(normal_form(url))
        assert (given_url.scheme, given_url.netloc) == (wanted.scheme, wanted.netloc)
    for known in (SITE, APP, PAGE):
        if matches(known, url):
            # By another reader of addresses, and by what of it stands there literally.
            assert (urlsplit(url).scheme, urlsplit(url).hostname) == ("https", "wiki.example.org")
            assert urlsplit(url).port in (None, 443)
            assert url.lower().startswith("https://wiki.example.org")
            assert "/../" not in urlsplit(url).path
