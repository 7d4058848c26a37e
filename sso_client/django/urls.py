"""`path("sso/", include("sso_client.django.urls"))`: the SDK's routes, by the names `sso:login`, `sso:logout` ..."""

from django.urls import path

from sso_client.django.views import NAMES, route_view

app_name = "sso"
urlpatterns = [path(name, route_view(name), name=name) for name in NAMES]
