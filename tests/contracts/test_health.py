import time


def test_the_store_tells_its_own_time(stores):
    before = time.time() * 1000
    told = stores.health.store_time()
    assert before - 1000 <= told <= time.time() * 1000 + 1000
    assert isinstance(told, int)


def test_problems_are_sentences(stores):
    assert all(problem.strip().endswith(".") for problem in stores.health.problems())
