"""A corpus of addresses that somebody could register or let a name mean, so that the centre calls what it must not.

Each is refused under its code before a single connection is made, with and without leave for a private network; the
last table is what may be called, so that a sender that refuses everything fails here.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from sso_server.core.notifications import Answer
from sso_server.delivery.resolver import Resolver
from sso_server.delivery.sender import GuardedSender

PUBLIC = "93.184.216.34"


@dataclass
class Watched:
    """A sender of a centre on the internet: no connection leaves, but each one is noted, and so is each question."""

    called: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    means: list[str] = field(default_factory=lambda: [PUBLIC])

    def __post_init__(self) -> None:
        """A resolver under the test's control."""

        def lookup(host: str) -> list[str]:
            self.asked.append(host)
            return self.means

        self.sender = GuardedSender(allow_loopback=False, resolver=Resolver(lookup, keep_s=0))

    def send(self, url: str, *, allow_private: bool = False) -> Answer:
        return self.sender.send(url, b"logout_token=x", {}, allow_private=allow_private)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    made = Watched()

    def connect(_socket: socket.socket, address: tuple[str, int]) -> None:
        made.called.append(address[:2])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    yield made
    made.sender.close()


FORBIDDEN_URLS = {
    # loopback and this host, in every spelling
    "loopback": "https://127.0.0.1/",
    "loopback, another of the sixteen million": "https://127.8.9.10/",
    "one decimal number": "https://2130706433/",
    "one hexadecimal number": "https://0x7f000001/",
    "one octal number": "https://017700000001/",
    "octal parts": "https://0177.0.0.01/",
    "hexadecimal parts": "https://0x7f.0x0.0x0.0x1/",
    "two parts": "https://127.1/",
    "three parts": "https://127.0.1/",
    "leading zeros": "https://127.000.000.001/",
    "a final dot": "https://127.0.0.1./",
    "a number with a final dot": "https://2130706433./",
    "more than 32 bits": "https://4294967297/",
    "a part above 255": "https://127.0.0.256/",
    "five parts": "https://127.0.0.0.1/",
    "zero": "https://0/",
    "nothing but zeros": "https://0.0.0.0/",
    "this network": "https://0.1.2.3/",
    "broadcast": "https://255.255.255.255/",
    "multicast": "https://224.0.0.1/",
    "reserved": "https://240.0.0.1/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 loopback at full length": "https://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv4 in IPv6, mapped": "https://[::ffff:127.0.0.1]/",
    "IPv4 in IPv6, mapped, as hex": "https://[::ffff:7f00:1]/",
    "IPv4 in IPv6, compatible": "https://[::127.0.0.1]/",
    "IPv4 in IPv6, translated": "https://[::ffff:0:127.0.0.1]/",
    "IPv4 behind NAT64": "https://[64:ff9b::127.0.0.1]/",
    "private IPv4 behind NAT64": "https://[64:ff9b::10.0.0.1]/",
    "IPv4 behind a local NAT64": "https://[64:ff9b:1::7f00:1]/",
    "IPv4 in 6to4": "https://[2002:7f00:1::]/",
    "the relays of 6to4": "https://192.88.99.1/",
    "IPv4 in Teredo": "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "ORCHID": "https://[2001:20::1]/",
    "discard": "https://[100::1]/",
    "IPv6 multicast": "https://[ff02::1]/",
    "IPv6 site-local": "https://[fec0::1]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "segment routing": "https://[5f00::1]/",
    # where clouds keep credentials
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata as one number": "https://2852039166/",
    "metadata, mapped": "https://[::ffff:169.254.169.254]/",
    "metadata behind NAT64": "https://[64:ff9b::a9fe:a9fe]/",
    "metadata of EC2 over IPv6": "https://[fd00:ec2::254]/",
    "metadata of ECS tasks": "https://169.254.170.2/",
    "metadata of Azure's host": "https://168.63.129.16/",
    "metadata of Alibaba": "https://100.100.100.200/",
    "metadata of Oracle": "https://192.0.0.192/",
    "link-local": "https://169.254.1.1/",
    # documentation and benchmarks
    "documentation": "https://192.0.2.1/",
    "benchmarks": "https://198.18.0.1/",
    "IPv6 documentation": "https://[2001:db8::1]/",
    "IPv6 documentation, the new range": "https://[3fff::1]/",
    # names
    "localhost": "https://localhost/",
    "localhost with a final dot": "https://localhost./",
    "below localhost": "https://shop.localhost/",
    "an empty host": "https:///logout",
    "an empty label": "https://shop..example/",
    "two final dots": "https://shop.example../",
    "a label of 64": f"https://{'a' * 64}.example/",
    "a name of 254": f"https://{'.'.join(['a' * 49] * 5)}.exam/",
    "percent-encoded": "https://127%2e0%2e0%2e1/",
    "percent-encoded slash": "https://shop.example%2f@127.0.0.1/",
}
#: What two parsers could understand differently: not a URL at all for us.
UNREADABLE_URLS = {
    "user information": "https://shop.example@127.0.0.1/",
    "user and password": "https://user:pass@shop.example/",
    "an empty user": "https://@shop.example/",
    "a backslash before the at": "https://shop.example\\@127.0.0.1/",
    "a backslash as a slash": "https:\\\\127.0.0.1\\",
    "a fragment before the at": "https://shop.example#@127.0.0.1/",
    "a tab in the host": "https://127.0.\t0.1/",
    "a newline in the path": "https://shop.example/\nHost: 127.0.0.1",
    "a carriage return": "https://shop.example/\r\nX: y",
    "a space": "https://shop.example/ HTTP/1.1",
    "a leading space": " https://shop.example/",
    "NUL": "https://shop.example\x00.evil.example/",
    "a soft hyphen": "https://shop\u00ad.example/",
    "fullwidth digits": "https://\uff11\uff12\uff17.0.0.1/",
    "circled digits": "https://\u2460\u2461\u2466.0.0.1/",
    "an ideographic full stop": "https://127\u30020\u30020\u30021/",
    "a Kelvin sign": "https://\u212aeycloak.example/",
    "letters beyond ASCII": "https://b\u00fccher.example/",
    "right to left": "https://\u202eshop.example/",
    "a zone": "https://[fe80::1%25eth0]/",
    "a zone without its percent sign": "https://[fe80::1%eth0]/",
    "a future address": "https://[v1.fe80]/",
    "IPv4 in brackets": "https://[127.0.0.1]/",
    "an open bracket": "https://[::1/",
    "something behind the bracket": "https://[::1]evil.example/",
    "port 0": "https://shop.example:0/",
    "port 65536": "https://shop.example:65536/",
    "a negative port": "https://shop.example:-1/",
    "a port in letters": "https://shop.example:https/",
    "two ports": "https://shop.example:443:80/",
    "another scheme": "ftp://shop.example/",
    "files": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "unix sockets": "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "capital letters in the scheme": "HTTPS://shop.example/",
    "no scheme": "//shop.example/",
    "one slash": "https:/shop.example/",
    "nothing": "",
    "endless": "https://shop.example/" + "a" * 100_000,
}


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("name", FORBIDDEN_URLS)
def test_this_is_never_called(watched: Watched, name: str, allow_private: bool) -> None:
    assert watched.send(FORBIDDEN_URLS[name], allow_private=allow_private) in (
        Answer(None, "address_forbidden"),
        *([Answer(None, "url_forbidden")] if "@" in FORBIDDEN_URLS[name] else []),
    )
    assert (watched.called, watched.asked) == ([], [])


@pytest.mark.parametrize("name", UNREADABLE_URLS)
def test_this_is_no_address_for_us(watched: Watched, name: str) -> None:
    assert watched.send(UNREADABLE_URLS[name], allow_private=True) == Answer(None, "url_forbidden")
    assert (watched.called, watched.asked) == ([], [])


@pytest.mark.parametrize(
    "means",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["fe80::1%eth0"],
        [f"{PUBLIC}", "169.254.169.254"],
        ["169.254.169.254", PUBLIC],
        ["2606:2800:220:1::1", "::1"],
        ["2606:2800:220:1::1%1"],
        [PUBLIC] * 3 + ["64:ff9b::a9fe:a9fe"],
        ["10.0.0.1", "127.0.0.1"],
    ],
    ids=", ".join,
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_a_name_that_means_this_is_never_called(watched: Watched, means: list[str], allow_private: bool) -> None:
    watched.means = means
    answer = watched.send("https://shop.example/logout", allow_private=allow_private)
    assert answer == Answer(None, "address_forbidden")
    assert (watched.called, watched.asked) == ([], ["shop.example"])


def test_the_private_address_behind_eight_public_ones_is_never_called(watched: Watched) -> None:
    watched.means = [f"93.184.216.{last}" for last in range(1, 12)] + ["10.0.0.1"]
    watched.send("https://shop.example/logout")
    assert {address for address, _ in watched.called} <= {f"93.184.216.{last}" for last in range(1, 9)}


@pytest.mark.parametrize("address", ["10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fd12:3456::1]"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_private_network_needs_leave(watched: Watched, address: str, scheme: str) -> None:
    url = f"{scheme}://{address}:8443/logout"
    assert watched.send(url) == Answer(None, "address_forbidden")
    assert watched.called == []
    assert watched.send(url, allow_private=True) == Answer(None, "connect")
    assert watched.called == [(address.strip("[]"), 8443)]


@pytest.mark.covers("line-108")
def test_the_internet_is_called_over_https_only(watched: Watched) -> None:
    for allow_private in (False, True):
        for host in (PUBLIC, "shop.example", "[2606:2800:220:1::1]"):
            answer = watched.send(f"http://{host}/logout", allow_private=allow_private)
            assert answer == Answer(None, "http_forbidden")
    assert watched.called == []


@pytest.mark.parametrize(
    ("url", "called"),
    [
        (f"https://{PUBLIC}/logout", (PUBLIC, 443)),
        ("https://shop.example/logout", (PUBLIC, 443)),
        ("https://shop.example./logout", (PUBLIC, 443)),
        ("https://SHOP.example:8443/logout?tenant=1", (PUBLIC, 8443)),
        ("https://xn--bcher-kva.example:65535/", (PUBLIC, 65535)),
        ("https://[2606:2800:220:1::1]/", ("2606:2800:220:1::1", 443)),
        ("https://[64:ff9b::5db8:d822]/", ("64:ff9b::5db8:d822", 443)),
        ("https://10.example/", (PUBLIC, 443)),
        (f"https://{'.'.join(['a' * 63] * 3)}.example/", (PUBLIC, 443)),
    ],
)
def test_this_is_called(watched: Watched, url: str, called: tuple[str, int]) -> None:
    assert watched.send(url) == Answer(None, "connect")
    assert watched.called == [called]
