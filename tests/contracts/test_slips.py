"""Slips: small texts that live for minutes, each name once, whoever asks."""

from concurrent.futures import ThreadPoolExecutor

from sso_server.core.policy import DAY, MINUTE
from tests.support.builders import NOW

END = NOW + MINUTE


def test_a_slip_is_there_until_its_end(stores):
    assert stores.slips.add("par:1", '{"scope":"openid 读"}', END, NOW)
    assert stores.slips.find("par:1", END - 1) == '{"scope":"openid 读"}'
    assert stores.slips.find("par:1", END - 1) is not None, "looking takes nothing"
    assert stores.slips.find("par:1", END) is None
    assert stores.slips.find("par:2", NOW) is None


def test_a_name_is_given_once_while_its_slip_lives(stores):
    assert stores.slips.add("proof:1", "", END, NOW)
    assert not stores.slips.add("proof:1", "again", END + 1, NOW + 1)
    assert stores.slips.find("proof:1", NOW + 1) == ""
    assert stores.slips.add("proof:1", "next", END + MINUTE, END)
    assert stores.slips.find("proof:1", END) == "next"


def test_what_is_taken_is_gone(stores):
    stores.slips.add("dc:1", "content", END, NOW)
    assert stores.slips.take("dc:1", NOW) == "content"
    assert stores.slips.take("dc:1", NOW) is None
    assert stores.slips.find("dc:1", NOW) is None


def test_nobody_takes_what_is_over(stores):
    stores.slips.add("dc:1", "content", END, NOW)
    assert stores.slips.take("dc:1", END) is None


def test_a_slip_is_exchanged_only_for_what_it_was_and_its_end_stays(stores):
    stores.slips.add("dc:1", "pending", END, NOW)
    assert not stores.slips.replace("dc:1", "denied", "approved", NOW)
    assert stores.slips.replace("dc:1", "pending", "approved", NOW + 1)
    assert not stores.slips.replace("dc:1", "pending", "denied", NOW + 1)
    assert stores.slips.find("dc:1", END - 1) == "approved"
    assert stores.slips.find("dc:1", END) is None
    assert not stores.slips.replace("dc:1", "approved", "denied", END)


def test_a_slip_can_be_kept_for_longer_while_it_lives(stores):
    stores.slips.add("par:1", "asked", END, NOW)
    assert stores.slips.extend("par:1", END + MINUTE, END - 1)
    assert stores.slips.find("par:1", END + MINUTE - 1) == "asked"
    assert not stores.slips.extend("par:1", END + DAY, END + MINUTE), "what is over stays over"
    assert stores.slips.find("par:1", END + MINUTE) is None
    assert not stores.slips.extend("par:2", END, NOW)
    assert stores.slips.find("par:2", NOW) is None


def test_of_many_at_once_one_adds_one_exchanges_and_one_takes(stores, other_stores):
    def at_once(act, name):
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda n: act((stores, other_stores)[n % 2].slips, name, n), range(24)))

    for name in ("once:1", "once:2", "once:3"):
        assert sum(at_once(lambda slips, name, n: slips.add(name, "a", END, NOW), name)) == 1
        assert sum(at_once(lambda slips, name, n: slips.replace(name, "a", f"b{n}", NOW), name)) == 1
        taken = at_once(lambda slips, name, n: slips.take(name, NOW), name)
        assert len([content for content in taken if content is not None]) == 1


def test_a_sweep_leaves_what_lives(stores):
    stores.slips.add("old", "x", END, NOW)
    stores.slips.add("new", "y", NOW + DAY, NOW)
    stores.sweeps.purge(END + 1, 100)
    assert stores.slips.find("new", END + 1) == "y"
    assert stores.slips.find("old", END + 1) is None


def test_a_sweep_of_sql_drops_what_is_over(sql_stores):
    sql_stores.slips.add("old", "x", END, NOW)
    sql_stores.sweeps.purge(END + 1, 100)
    assert sql_stores.slips.find("old", NOW) is None, "also by a clock for which it would not be over"
