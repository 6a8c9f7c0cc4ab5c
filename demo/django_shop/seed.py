"""Makes the schema and the rows of a new database. No migration history: the database lives for one run."""

from dataclasses import asdict

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from demo.django_shop.models import Category, Link, Order, OrderLine, Product, Profile, Record, Review, Supplier
from demo.seed_data import seed_data


def seed_if_empty():
    """Creates every table and row when the database has no tables yet, else does nothing."""
    if connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        for model in apps.get_models():
            if not model._meta.proxy:
                editor.create_model(model)
    data = seed_data()
    with transaction.atomic():
        users = get_user_model().objects
        users.bulk_create(
            users.model(
                id=row.id,
                username=row.username,
                password=row.encoded,
                email=f"{row.username}@shop.example",
                is_staff=row.is_staff,
                date_joined=row.date_joined,
            )
            for row in data.users
        )
        Profile.objects.bulk_create(Profile(id=row.id, user_id=row.id, display_name=row.display_name) for row in data.users)
        for model, rows in (
            (Category, data.categories),
            (Supplier, data.suppliers),
            (Product, data.products),
            (Review, data.reviews),
            (Order, data.orders),
            (OrderLine, data.lines),
            (Link, data.links),
            (Record, data.records),
        ):
            model.objects.bulk_create([model(**asdict(row)) for row in rows], batch_size=500)
