"""The app's registration."""

from django.apps import AppConfig


class DjangoShopConfig(AppConfig):
    name = "demo.django_shop"
    label = "shop"
    default_auto_field = "django.db.models.BigAutoField"
