"""One client's stores, however many, cost the others nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sso_server.core.check_in import CheckIn, SiteStore
from sso_server.core.errors import InvalidRequest
from sso_server.core.notifications import State
from tests.support.builders import a_report, a_result, store_id
from tests.support.deliveries import Deliveries


def test_the_way_to_the_audit_reads_the_stores_that_it_names_and_no_others(
    deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_ins, now, ours = deliveries.stores.check_ins, deliveries.clock.now(), store_id()
    for store in (ours, store_id(), store_id()):
        check_ins.check_in(a_report(store), now, 10)
    deliveries.site("shop", "https://shop.example/logout")
    deliveries.ended("shop", store_id=ours, reports=True)
    (row,) = deliveries.stores.outbox.claim("w", now, 10, 30_000)
    deliveries.stores.outbox.record([a_result(row, State.ACKNOWLEDGED)], now)
    read, find = list[str](), check_ins.find_site_stores

    def watched(*asked: Any) -> list[SiteStore]:
        found: list[SiteStore] = find(*asked)
        read.extend(store.store_id for store in found)
        return found

    monkeypatch.setattr(check_ins, "find_site_stores", watched)
    assert deliveries.worker().archive_final() == 1
    assert read == [ours]


def test_a_store_too_many_is_told_so_and_gets_no_lease(deliveries: Deliveries, monkeypatch: pytest.MonkeyPatch) -> None:
    check_ins, site = deliveries.stores.check_ins, deliveries.site("shop", "")
    check_in: Callable[..., Any] = check_ins.check_in
    monkeypatch.setattr(check_ins, "check_in", lambda report, *more: check_in(replace(report, most_stores=1), *more))
    known = CheckIn(store_id(), None, (), (), (), None)
    deliveries.check_ins().check_in(site, known)
    with pytest.raises(InvalidRequest, match="stores already"):
        deliveries.check_ins().check_in(site, replace(known, store_id=store_id()))
    assert deliveries.check_ins().check_in(site, known).lease_s == site.lease_s
