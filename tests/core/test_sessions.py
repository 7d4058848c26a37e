"""Pure rules about sessions and their participants."""

from sso_server.core.sessions import Participant, once_for_each_site


def test_of_a_cas_site_s_tickets_the_one_that_may_last_longest_stands_for_the_site() -> None:
    def ticket(letter: str, local_until: int, client_id: str = "wiki") -> Participant:
        text = "ST-07-" + letter * 32
        return Participant("sid-07-" + "a" * 32, client_id, text, "cas", "https://x.example/", 1, local_until, False)

    those = [ticket("a", 5), ticket("b", 9), ticket("c", 7), ticket("d", 3, "notes")]
    assert [(one.client_id, one.local_until) for one in once_for_each_site(those)] == [("wiki", 9), ("notes", 3)]
