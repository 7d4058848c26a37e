import ipaddress

import pytest

from sso_server.delivery.addresses import AddressRefused, Rules, Zone, check_addresses, parse_target, zone_of

PUBLIC = Rules(loopback=False, private=False)
LAPTOP = Rules(loopback=True, private=False)
INTRANET = Rules(loopback=False, private=True)


def addresses(*texts: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    return tuple(ipaddress.ip_address(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("93.184.216.34", Zone.PUBLIC),
        ("2606:2800:220:1::1", Zone.PUBLIC),
        ("127.0.0.1", Zone.LOOPBACK),
        ("127.255.255.254", Zone.LOOPBACK),
        ("::1", Zone.LOOPBACK),
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("10.0.0.1", Zone.PRIVATE),
        ("172.16.0.1", Zone.PRIVATE),
        ("172.31.255.255", Zone.PRIVATE),
        ("172.32.0.1", Zone.PUBLIC),
        ("192.168.1.1", Zone.PRIVATE),
        ("100.64.0.1", Zone.PRIVATE),
        ("fd12:3456::1", Zone.PRIVATE),
        ("::ffff:10.0.0.1", Zone.PRIVATE),
        ("169.254.169.254", Zone.NEVER),
        ("::ffff:169.254.169.254", Zone.NEVER),
        ("64:ff9b::a9fe:a9fe", Zone.NEVER),
        ("64:ff9b::7f00:1", Zone.NEVER),
        ("64:ff9b::a00:1", Zone.NEVER),
        ("64:ff9b::5db8:d822", Zone.PUBLIC),
        ("64:ff9b:1::1", Zone.NEVER),
        ("2002:7f00:1::", Zone.NEVER),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Zone.NEVER),
        ("2001:db8::1", Zone.NEVER),
        ("100.100.100.200", Zone.NEVER),
        ("168.63.129.16", Zone.NEVER),
        ("fd00:ec2::254", Zone.NEVER),
        ("0.0.0.0", Zone.NEVER),
        ("::", Zone.NEVER),
        ("::7f00:1", Zone.NEVER),
        ("fe80::1", Zone.NEVER),
        ("fec0::1", Zone.NEVER),
        ("ff02::1", Zone.NEVER),
        ("224.0.0.1", Zone.NEVER),
        ("240.0.0.1", Zone.NEVER),
        ("255.255.255.255", Zone.NEVER),
        ("192.0.0.192", Zone.NEVER),
        ("198.18.0.1", Zone.NEVER),
        ("203.0.113.9", Zone.NEVER),
    ],
)
def test_each_address_has_its_zone(text: str, zone: Zone) -> None:
    assert zone_of(ipaddress.ip_address(text)) is zone


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/sso/backchannel-logout",
        "https://shop.example:8443/logout?a=b",
        "https://shop.example./logout",
        "http://127.0.0.1:5000/logout",
        "http://[::1]:5000/logout",
        "https://xn--bcher-kva.example/",
        "https://a_b.example/",
        "https://3com.example/",
        "https://shop.example",
    ],
)
def test_plain_addresses_are_understood(url: str) -> None:
    assert parse_target(url).port > 0


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://shop.example/", "url_forbidden"),
        ("file:///etc/passwd", "url_forbidden"),
        ("gopher://127.0.0.1:6379/_x", "url_forbidden"),
        ("HTTPS://shop.example/", "url_forbidden"),
        ("//shop.example/", "url_forbidden"),
        ("https://user@shop.example/", "url_forbidden"),
        ("https://shop.example@127.0.0.1/", "url_forbidden"),
        ("https://user:pass@shop.example/", "url_forbidden"),
        ("https://shop.example\\@127.0.0.1/", "url_forbidden"),
        ("https://shop.example/\r\nX: y", "url_forbidden"),
        ("https://shop.example/ x", "url_forbidden"),
        ("https://shop.example/\t", "url_forbidden"),
        ("https://shop.example/#x", "url_forbidden"),
        ("https://shop.example:0/", "url_forbidden"),
        ("https://shop.example:99999/", "url_forbidden"),
        ("https://shop.example:80x/", "url_forbidden"),
        ("https://b\u00fccher.example/", "url_forbidden"),
        ("https://127.0.0.\u2460/", "url_forbidden"),
        ("https://[::1/", "url_forbidden"),
        ("https://[fe80::1%25eth0]/", "url_forbidden"),
        ("https://[v1.x]/", "url_forbidden"),
        ("https:///logout", "address_forbidden"),
        ("https://2130706433/", "address_forbidden"),
        ("https://0x7f000001/", "address_forbidden"),
        ("https://0x7f.1/", "address_forbidden"),
        ("https://0177.0.0.1/", "address_forbidden"),
        ("https://127.1/", "address_forbidden"),
        ("https://127.0.0.1./", "address_forbidden"),
        ("https://127.0.0.01/", "address_forbidden"),
        ("https://shop.example../", "address_forbidden"),
        ("https://.shop.example/", "address_forbidden"),
        ("https://shop%2eexample/", "address_forbidden"),
        ("https://" + "a" * 64 + ".example/", "address_forbidden"),
        ("https://shop.example/" + "a" * 2000, "url_forbidden"),
    ],
)
def test_what_two_parsers_could_understand_differently_is_refused(url: str, code: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        parse_target(url)
    assert refused.value.code == code


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    target = parse_target("https://shop.example/")
    assert check_addresses(target, addresses("93.184.216.34"), PUBLIC)
    for bad in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"):
        with pytest.raises(AddressRefused):
            check_addresses(target, addresses("93.184.216.34", bad), PUBLIC)


@pytest.mark.parametrize(
    ("url", "address", "rules", "code"),
    [
        ("http://127.0.0.1/", "127.0.0.1", LAPTOP, ""),
        ("http://127.0.0.1/", "127.0.0.1", PUBLIC, "address_forbidden"),
        ("http://127.0.0.1/", "127.0.0.1", INTRANET, "address_forbidden"),
        ("https://shop.example/", "10.0.0.1", PUBLIC, "address_forbidden"),
        ("https://shop.example/", "10.0.0.1", LAPTOP, "address_forbidden"),
        ("https://shop.example/", "10.0.0.1", INTRANET, ""),
        ("http://shop.example/", "10.0.0.1", INTRANET, ""),
        ("http://shop.example/", "93.184.216.34", PUBLIC, "http_forbidden"),
        ("http://shop.example/", "93.184.216.34", LAPTOP, "http_forbidden"),
        ("http://shop.example/", "93.184.216.34", INTRANET, "http_forbidden"),
        ("https://shop.example/", "93.184.216.34", INTRANET, ""),
        ("https://shop.example/", "169.254.169.254", INTRANET, "address_forbidden"),
        ("https://shop.example/", "169.254.169.254", Rules(loopback=True, private=True), "address_forbidden"),
    ],
)
def test_loopback_private_ranges_and_plain_http_need_their_permission(
    url: str, address: str, rules: Rules, code: str
) -> None:
    refused = ""
    try:
        check_addresses(parse_target(url), addresses(address), rules)
    except AddressRefused as error:
        refused = error.code
    assert refused == code


def test_plain_http_to_a_name_with_a_private_and_a_public_address_is_refused() -> None:
    assert check_addresses(parse_target("http://shop.example/"), addresses("10.0.0.1", "fd12::1"), INTRANET)
    with pytest.raises(AddressRefused) as refused:
        check_addresses(parse_target("http://shop.example/"), addresses("10.0.0.1", "93.184.216.34"), INTRANET)
    assert refused.value.code == "http_forbidden"


def test_a_name_without_addresses_is_refused() -> None:
    with pytest.raises(AddressRefused):
        check_addresses(parse_target("https://shop.example/"), (), PUBLIC)
