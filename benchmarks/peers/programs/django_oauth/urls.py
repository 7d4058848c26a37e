"""The toolkit's own addresses and Django's own page to sign in."""

from django.contrib.auth.views import LoginView
from django.urls import include, path

urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("sign-in/", LoginView.as_view(template_name="sign_in.html")),
]
