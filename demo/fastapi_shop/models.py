"""The port's pydantic models: what it accepts and what it answers."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from demo.fastapi_shop.planted import planted


class Input(BaseModel):
    """Strings are trimmed, and numbers accepted for them, as the shop always did."""

    model_config = ConfigDict(str_strip_whitespace=True, coerce_numbers_to_str=True)


class Output(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class LoginInput(Input):
    username: str = Field(min_length=1, max_length=80)
    password: str = Field(min_length=1, max_length=80)


class LoggedIn(Output):
    id: int
    username: str


class IssuedToken(Output):
    token: str


class Account(Output):
    id: int
    username: str
    email: str
    display_name: str
    is_staff: bool
    date_joined: datetime


class AccountWithJoinedAt(Output):
    """DEFECT renamed-field: the ORM attribute's new name reached the wire."""

    id: int
    username: str
    email: str
    display_name: str
    is_staff: bool
    joined_at: datetime


class AccountList(Output):
    count: int
    results: list[Account]


class Currency(Input):
    currency: Literal["EUR", "USD", "GBP"]


class Category(Output):
    id: int
    slug: str
    name: str


class Supplier(Output):
    id: int
    name: str
    country: str
    lead_time_days: int


class ProductSummary(Output):
    id: int
    name: str
    category: str
    price: Decimal
    in_stock: bool


class ProductPage(Output):
    count: int
    next: str | None
    previous: str | None
    results: list[ProductSummary]


class Product(Output):
    id: int
    name: str
    description: str
    category: Category
    supplier: int
    price: Decimal | float  # float: DEFECT decimal-as-float
    stock: int
    added_at: datetime


class Review(Output):
    id: int
    author: str
    stars: int
    text: str
    created_at: datetime


class ReviewList(Output):
    product: int
    results: list[Review]


class Stock(Output):
    product: int
    stock: int
    counted_at: datetime


class CategoryPage(Category):
    products: list[ProductSummary]


class SearchResult(Output):
    q: str
    results: list[ProductSummary]


class QuoteInput(Input):
    postcode: str = Field(max_length=10)
    weight_g: int = Field(ge=1, le=30_000)

    @field_validator("postcode")
    @classmethod
    def not_blank(cls, value: str) -> str:
        # DEFECT blank-accepted: DRF's CharField refuses "" by itself; pydantic's str needs to be told.
        if not value and not planted("blank-accepted"):
            raise PydanticCustomError("blank", "This field may not be blank.")
        return value


class Quote(Output):
    postcode: str
    weight_g: int
    price: Decimal
    arrives_within: timedelta


class CartItemInput(Input):
    product: int
    qty: int = Field(ge=1, le=99)


class CartItem(Output):
    id: int
    product: int
    qty: int
    unit_price: Decimal


class Cart(Output):
    items: list[CartItem]
    total: Decimal


class OrderLine(Output):
    product: int
    qty: int
    unit_price: Decimal


class Order(Output):
    id: int
    status: str
    total: Decimal
    created_at: datetime


class OrderList(Output):
    count: int
    results: list[Order]


class OrderDetail(Order):
    lines: list[OrderLine]


class MonthSales(Output):
    month: int
    orders: int
    revenue: Decimal


class Sales(Output):
    year: int
    orders: int
    revenue: Decimal
    average: Decimal | None
    months: list[MonthSales]


class TopProduct(Output):
    product: int
    name: str
    sold: int


class TopProducts(Output):
    results: list[TopProduct]


class RandomNumber(Output):
    randomNumber: int


class RecordNumber(Output):
    id: int
    randomNumber: int


class RecordInput(Input):
    label: Annotated[str, Field(min_length=1, max_length=60)]
    value: int = Field(ge=0, le=1_000_000)


class Record(Output):
    id: int
    label: str
    value: int
