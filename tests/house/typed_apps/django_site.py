"""Django views as their owner would type them, with an untyped Django; each `type: ignore` is a mistake to be found."""

from django.http import HttpRequest, HttpResponse, JsonResponse

from sso_client import Event, User
from sso_client.django import (
    access_token,
    bearer_required,
    get_client,
    login_required,
    login_url,
    logout_fields,
    recent_events,
    still_signed_in,
)


@login_required
def orders(request: HttpRequest, page: int = 1) -> HttpResponse:
    person: User = request.sso_user
    return HttpResponse(f"{person.name} {page} {login_url(request)}")


@login_required(groups=["staff"], max_age=300)
async def refund(request: HttpRequest) -> HttpResponse:
    return HttpResponse("".join(logout_fields(request, "site").values()))


@bearer_required(scope="profile")
def api(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"sub": request.sso_user.sub})


def use(request: HttpRequest) -> None:
    orders(request, page="2")  # type: ignore[arg-type]
    token: str = access_token(request, min_life_s=5)
    number: int = access_token(request)  # type: ignore[assignment]
    while still_signed_in(request):
        events: list[Event] = recent_events()
        print(token, number, events, get_client().settings.client_id)
