"""Password hashing cheap enough for a demo that logs a dozen clients in at once."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from demo.seed_data import PASSWORD_ITERATIONS


class DemoPasswordHasher(PBKDF2PasswordHasher):
    """Django's own hasher and spelling with fewer rounds. Never for real accounts."""

    iterations = PASSWORD_ITERATIONS
