"""Shipping quotes, the cart, and orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Connection, Row, delete, func, insert, select

from demo.fastapi_shop import models
from demo.fastapi_shop.auth import CurrentUser, optional_user
from demo.fastapi_shop.database import Db
from demo.fastapi_shop.lookup import LARGEST_ID, known_id, one_or_404
from demo.fastapi_shop.tables import cart_items, order_lines, orders, products

CENT = Decimal("0.01")

router = APIRouter(prefix="/api", dependencies=[Depends(optional_user)])


@router.post("/checkout/quote/", response_model=models.Quote)
def quote(body: models.QuoteInput) -> object:
    """Computes a price and stores nothing."""
    return {
        "postcode": body.postcode,
        "weight_g": body.weight_g,
        "price": (Decimal("3.90") + body.weight_g * Decimal("0.002")).quantize(CENT),
        "arrives_within": timedelta(days=2, hours=body.weight_g // 1_000),
    }


def _cart(db: Connection, user_id: int) -> list[Row[Any]]:
    query = (
        select(
            cart_items.c.id, cart_items.c.product_id.label("product"), cart_items.c.qty, products.c.price.label("unit_price")
        )
        .join(products, products.c.id == cart_items.c.product_id)
        .where(cart_items.c.user_id == user_id)
        .order_by(cart_items.c.id)
    )
    return list(db.execute(query))


def _total(items: list[Row[Any]]) -> Decimal:
    return sum((item.unit_price * item.qty for item in items), Decimal("0.00"))


@router.get("/cart/", response_model=models.Cart)
def cart(user: CurrentUser, db: Db) -> object:
    items = _cart(db, user.id)
    return {"items": items, "total": _total(items)}


@router.post("/cart/items/", response_model=models.CartItem, status_code=201)
def add_to_cart(body: models.CartItemInput, user: CurrentUser, db: Db) -> object:
    price = None
    if abs(body.product) <= LARGEST_ID:
        price = db.execute(select(products.c.price).where(products.c.id == body.product)).scalar_one_or_none()
    if price is None:
        error = {"type": "unknown_product", "loc": ("body", "product"), "msg": "No such product", "input": body.product}
        raise RequestValidationError([error])
    added = db.execute(insert(cart_items).values(user_id=user.id, product_id=body.product, qty=body.qty))
    db.commit()
    return {"id": added.lastrowid, "product": body.product, "qty": body.qty, "unit_price": price}


@router.delete("/cart/items/{id:int}/", status_code=204)
def remove_from_cart(id: int, user: CurrentUser, db: Db) -> Response:
    mine = (cart_items.c.id == known_id(id, "Cart item")) & (cart_items.c.user_id == user.id)
    if not db.execute(delete(cart_items).where(mine)).rowcount:
        raise HTTPException(404, "Cart item not found")
    db.commit()
    return Response(status_code=204)


@router.get("/orders/", response_model=models.OrderList)
def order_list(user: CurrentUser, db: Db) -> object:
    mine = select(orders).where(orders.c.user_id == user.id)
    count = db.execute(select(func.count()).select_from(mine.subquery())).scalar_one()
    return {"count": count, "results": db.execute(mine.order_by(orders.c.id.desc()).limit(10)).all()}


@router.post("/orders/", response_model=models.OrderDetail, status_code=201)
def place_order(user: CurrentUser, db: Db) -> object:
    items = _cart(db, user.id)
    if not items:
        raise HTTPException(400, "The cart is empty.")
    values = {"user_id": user.id, "status": "new", "total": _total(items), "created_at": datetime.now(UTC)}
    order_id = db.execute(insert(orders).values(values)).lastrowid
    lines = [{"product_id": item.product, "qty": item.qty, "unit_price": item.unit_price} for item in items]
    db.execute(insert(order_lines), [{**line, "order_id": order_id} for line in lines])
    db.execute(delete(cart_items).where(cart_items.c.user_id == user.id))
    db.commit()
    return {"id": order_id, **values, "lines": items}


@router.get("/orders/{id:int}/", response_model=models.OrderDetail)
def order(id: int, user: CurrentUser, db: Db) -> object:
    mine = select(orders).where(orders.c.id == known_id(id, "Order"), orders.c.user_id == user.id)
    row = one_or_404(db, mine, "Order")
    lines = select(order_lines.c.product_id.label("product"), order_lines.c.qty, order_lines.c.unit_price)
    lines = lines.where(order_lines.c.order_id == id).order_by(order_lines.c.id)
    return {**row._mapping, "lines": db.execute(lines).all()}
