"""The rows both twins start with: the same ids, prices and timestamps on every run, so that only the code can differ.

Plain values in, plain values out; each twin writes them into its own database in its own way.
"""

from __future__ import annotations

import base64
import hashlib
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

RECORD_COUNT = 10_000
PRODUCT_COUNT = 120
PASSWORD_ITERATIONS = 5_000
SALES_YEAR = 2025
_SALT = "ParityDemoSaltOf22Char"  # Django wants 128 bits of salt, else it writes a new hash at each login.
_EPOCH = datetime(2025, 1, 1, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class UserRow:
    """A customer or a member of staff; `password` is the clear text, `encoded` Django's PBKDF2 spelling of it."""

    id: int
    username: str
    display_name: str
    is_staff: bool
    date_joined: datetime

    @property
    def password(self) -> str:
        return f"{self.username}-secret"

    @property
    def encoded(self) -> str:
        digest = hashlib.pbkdf2_hmac("sha256", self.password.encode(), _SALT.encode(), PASSWORD_ITERATIONS)
        return f"pbkdf2_sha256${PASSWORD_ITERATIONS}${_SALT}${base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True)
class CategoryRow:
    id: int
    slug: str
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class SupplierRow:
    id: int
    name: str
    country: str
    lead_time_days: int


@dataclass(frozen=True, slots=True)
class ProductRow:
    id: int
    name: str
    category_id: int
    supplier_id: int
    price: Decimal
    stock: int
    description: str
    added_at: datetime
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewRow:
    id: int
    product_id: int
    author: str
    stars: int
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OrderLineRow:
    id: int
    order_id: int
    product_id: int
    qty: int
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class OrderRow:
    id: int
    user_id: int
    status: str
    total: Decimal
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LinkRow:
    id: int
    slug: str
    product_id: int


@dataclass(frozen=True, slots=True)
class RecordRow:
    id: int
    label: str
    value: int


@dataclass(frozen=True, slots=True)
class SeedData:
    """Everything a twin's database holds before the first request."""

    users: tuple[UserRow, ...]
    categories: tuple[CategoryRow, ...]
    suppliers: tuple[SupplierRow, ...]
    products: tuple[ProductRow, ...]
    reviews: tuple[ReviewRow, ...]
    orders: tuple[OrderRow, ...]
    lines: tuple[OrderLineRow, ...]
    links: tuple[LinkRow, ...]
    records: tuple[RecordRow, ...]


_PEOPLE = (
    ("alice", "Alice Arden", False),
    ("bob", "Bob O'Neil", False),
    ("carol", "Carol Ångström", False),
    ("dave", 'Dave "D." Dunn', False),
    ("erin", "Erin Eze", False),
    ("frank", "Frank Foo & Sons", False),
    ("grace", "Grace (staff)", True),
    ("heidi", "Heidi (staff)", True),
)
_CATEGORIES = ("Mugs", "Plates", "Café Sets", "Knives & Boards", "Lamps", "Cushions", "Books", "Garden")
_SUPPLIERS = (
    ("Northwind Ceramics", "DE"),
    ("Atelier Crème", "FR"),
    ("O'Hara & Daughters", "IE"),
    ("Hearth GmbH", "AT"),
    ("Tide Co.", "PT"),
)
_ADJECTIVES = ("Plain", "Baker's", "Tall", "Crème", "Oak & Iron", "Folding", "Blue", "Winter", '"Nº 5"', "Travel")
_NOUNS = ("Mug", "Plate", "Bowl", "Lamp", "Board", "Cushion", "Notebook", "Pot", "Tray", "Jug")
_TEXTS = (
    "Sturdy and well made.",
    "Arrived late, but it's lovely.",
    "Smaller than I thought <5 cm>.",
    "Très bien!",
    "Would buy again & again.",
)


def seed_data() -> SeedData:
    """The same rows at every call: all random choices come from one fixed seed."""
    rng = random.Random(20250101)
    users = tuple(
        UserRow(number, name, shown, staff, _EPOCH - timedelta(days=37 * number, hours=number))
        for number, (name, shown, staff) in enumerate(_PEOPLE, 1)
    )
    categories = tuple(
        CategoryRow(number, f"cat-{number}", name, len(_CATEGORIES) - number) for number, name in enumerate(_CATEGORIES, 1)
    )
    suppliers = tuple(SupplierRow(number, name, country, 3 + number) for number, (name, country) in enumerate(_SUPPLIERS, 1))
    products = tuple(_product(number, rng) for number in range(1, PRODUCT_COUNT + 1))
    reviews = _reviews(rng)
    orders, lines = _orders(products, rng)
    links = tuple(LinkRow(number, f"deal-{number}", number * 7) for number in range(1, 11))
    records = tuple(RecordRow(number, f"record {number}", rng.randint(1, 1_000_000)) for number in range(1, RECORD_COUNT + 1))
    return SeedData(users, categories, suppliers, products, reviews, orders, lines, links, records)


def _product(number: int, rng: random.Random) -> ProductRow:
    name = f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)} {number}"
    added = _EPOCH + timedelta(hours=5 * number, minutes=rng.randrange(60))
    return ProductRow(
        id=number,
        name=name,
        category_id=1 + number % len(_CATEGORIES),
        supplier_id=1 + number % len(_SUPPLIERS),
        price=Decimal(rng.randrange(199, 19_999)).scaleb(-2),
        stock=rng.randrange(0, 60),
        description=f"{name}: {rng.choice(_TEXTS)}",
        added_at=added,
        counted_at=added + timedelta(days=2, microseconds=rng.randrange(1, 1_000_000)),
    )


def _reviews(rng: random.Random) -> tuple[ReviewRow, ...]:
    rows: list[ReviewRow] = []
    for product_id in range(1, PRODUCT_COUNT + 1):
        for _ in range(1 + product_id % 3):
            rows.append(
                ReviewRow(
                    id=len(rows) + 1,
                    product_id=product_id,
                    author=rng.choice(_PEOPLE)[1],
                    stars=rng.randint(1, 5),
                    text=rng.choice(_TEXTS),
                    created_at=_EPOCH + timedelta(minutes=rng.randrange(1, 400_000)),
                )
            )
    return tuple(rows)


def _orders(products: tuple[ProductRow, ...], rng: random.Random) -> tuple[tuple[OrderRow, ...], tuple[OrderLineRow, ...]]:
    orders: list[OrderRow] = []
    lines: list[OrderLineRow] = []
    for order_id in range(1, 301):
        bought = [(rng.choice(products), rng.randint(1, 4)) for _ in range(rng.randint(1, 3))]
        for product, qty in bought:
            lines.append(OrderLineRow(len(lines) + 1, order_id, product.id, qty, product.price))
        orders.append(
            OrderRow(
                id=order_id,
                user_id=1 + order_id % 6,
                status=rng.choice(("paid", "sent", "returned")),
                total=sum((product.price * qty for product, qty in bought), Decimal(0)),
                created_at=datetime(SALES_YEAR, 1, 1, tzinfo=UTC) + timedelta(minutes=1_700 * order_id + rng.randrange(1_000)),
            )
        )
    return tuple(orders), tuple(lines)
