"""What gunicorn serves. Seeds its database first, so that one process does all of the start-up."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.django_shop.settings")

application = get_wsgi_application()

from demo.django_shop.seed import seed_if_empty  # noqa: E402 - models can be imported only after Django's set-up

seed_if_empty()
