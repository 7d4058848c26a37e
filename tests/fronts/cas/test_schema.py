"""Every answer is as the schema of CAS 3.0.3, appendix A, has it."""

import pytest
from flask import Flask
from lxml import etree

from tests.fronts.cas.validating import ENDPOINTS, NO_SUCH_TICKET, Service, add
from tests.support.certificates import Authority
from tests.support.sinks import Sink

GATE, LAMP = "https://gate.example.org/", "https://lamp.example.org/"


def elements(*names: str) -> str:
    """Elements of plain text, in this order; `?` optional, `+` repeated, `!TYPE` of that type."""
    made = []
    for name in names:
        plain, _, kind = name.rstrip("?+").partition("!")
        least = ' minOccurs="0"' if name.endswith("?") else ""
        most = ' maxOccurs="unbounded"' if name.endswith("+") else ""
        made.append(f'<xs:element name="{plain}" type="{kind or "xs:string"}"{least}{most}/>')
    return "".join(made)


FAILURE = (
    '<xs:simpleContent><xs:extension base="xs:string"><xs:attribute name="code" type="xs:string" use="required"/>'
    "</xs:extension></xs:simpleContent>"
)
TYPES = {
    "Success": "<xs:sequence>"
    + elements("user", "attributes!cas:Attributes?", "proxyGrantingTicket?", "proxies!cas:Proxies?")
    + "</xs:sequence>",
    "Attributes": "<xs:sequence>"
    + elements(
        "authenticationDate!xs:dateTime",
        "longTermAuthenticationRequestTokenUsed!xs:boolean",
        "isFromNewLogin!xs:boolean",
    )
    + '<xs:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/></xs:sequence>',
    "Proxies": f"<xs:sequence>{elements('proxy+')}</xs:sequence>",
    "Proxied": f"<xs:sequence>{elements('proxyTicket')}</xs:sequence>",
    "Failure": FAILURE,
}
CHOICE = elements(
    "authenticationSuccess!cas:Success",
    "authenticationFailure!cas:Failure",
    "proxySuccess!cas:Proxied",
    "proxyFailure!cas:Failure",
)
TEXT = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:cas="http://www.yale.edu/tp/cas"'
    ' targetNamespace="http://www.yale.edu/tp/cas" elementFormDefault="qualified"><xs:element name="serviceResponse">'
    f"<xs:complexType><xs:choice>{CHOICE}</xs:choice></xs:complexType></xs:element>"
    + "".join(f'<xs:complexType name="{name}">{content}</xs:complexType>' for name, content in TYPES.items())
    + "</xs:schema>"
)
SCHEMA = etree.XMLSchema(etree.fromstring(TEXT))


@pytest.fixture(scope="session")
def site(shared_app: Flask, authority: Authority) -> Service:
    return add(shared_app, "gate", GATE, cas_proxy_callbacks=("https://127.0.0.1/",))


def check(site: Service, path: str, **params: str) -> etree._Element:
    root = etree.fromstring(site.ask(path, **params).get_data())
    SCHEMA.assertValid(root)
    return root[0]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_successes_and_failures(site: Service, path: str) -> None:
    assert check(site, path, service=GATE, ticket=site.ticket()).tag.endswith("authenticationSuccess")
    for params in ({"ticket": NO_SUCH_TICKET}, {}, {"service": GATE, "ticket": NO_SUCH_TICKET, "pgtUrl": "http://x"}):
        assert check(site, path, **params).tag.endswith("authenticationFailure")
    assert check(site, "/cas/proxy", pgt="x").tag.endswith("proxyFailure")


def test_proxies_and_proxy_tickets(shared_app: Flask, authority: Authority) -> None:
    with Sink("ok", tls=authority.context("127.0.0.1")) as sink:
        url = f"https://127.0.0.1:{sink.port}/"
        site = add(shared_app, "lamp", LAMP, cas_proxy_callbacks=(url,))
        first = check(site, "/cas/p3/proxyValidate", service=LAMP, ticket=site.ticket(), pgtUrl=url)
        assert first.find("{*}proxyGrantingTicket") is not None
        pgt = sink.inbox[0].line.partition("pgtId=")[2].partition("&")[0]
        ticket = check(site, "/cas/proxy", pgt=pgt, targetService=LAMP)[0].text
        second = check(site, "/cas/p3/proxyValidate", service=LAMP, ticket=ticket, pgtUrl=url)
        assert second.find("{*}proxies") is not None
