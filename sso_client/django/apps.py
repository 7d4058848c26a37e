"""The Django application `sso`: its models, its checks, and what happens when the site calls `auth.logout`."""

from django.apps import AppConfig


class SSOConfig(AppConfig):  # type: ignore[misc]  # Django ships no types
    """`INSTALLED_APPS += ["sso_client.django"]`."""

    name = "sso_client.django"
    label = "sso"
    verbose_name = "Single sign-on"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and hear of `auth.logout`. Nothing is opened here, and nobody is asked."""
        from django.contrib.auth.signals import user_logged_out
        from django.core.checks import Tags, register

        from sso_client.django.checks import check_site
        from sso_client.django.visit import end_ours

        register(check_site, Tags.security)
        user_logged_out.connect(end_ours, dispatch_uid="sso_client.django")
