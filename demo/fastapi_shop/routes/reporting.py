"""What staff reads: sales by month as JSON and as CSV, and the products that sold best."""

from __future__ import annotations

import asyncio
import csv
import io
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import Connection, func, select

from demo.fastapi_shop import models
from demo.fastapi_shop.auth import StaffUser, optional_user
from demo.fastapi_shop.database import Db
from demo.fastapi_shop.planted import planted
from demo.fastapi_shop.tables import order_lines, orders, products
from demo.seed_data import SALES_YEAR

SLOW_S = 0.4

router = APIRouter(prefix="/api/reports", dependencies=[Depends(optional_user)])
Year = Annotated[int, Query(ge=2000, le=2100)]


def _months(db: Connection, year: int) -> dict[int, tuple[int, Decimal]]:
    sales = {month: (0, Decimal("0.00")) for month in range(1, 13)}
    # Only settled orders count: a report never moves while orders come in.
    for row in db.execute(select(orders.c.created_at, orders.c.total).where(orders.c.status != "new")):
        if row.created_at.year == year:
            count, total = sales[row.created_at.month]
            sales[row.created_at.month] = (count + 1, total + row.total)
    return sales


@router.get("/sales/", response_model=models.Sales)
def sales(_staff: StaffUser, db: Db, year: Year = SALES_YEAR) -> object:
    months = _months(db, year)
    count = sum(orders for orders, _ in months.values())
    revenue = sum((total for _, total in months.values()), Decimal("0.00"))
    return {
        "year": year,
        "orders": count,
        "revenue": revenue,
        "average": (revenue / count).quantize(Decimal("0.01"), ROUND_HALF_UP) if count else None,
        "months": [{"month": month, "orders": orders, "revenue": total} for month, (orders, total) in months.items()],
    }


@router.get("/sales.csv", response_class=Response)
def sales_csv(_staff: StaffUser, db: Db, year: Year = SALES_YEAR) -> Response:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["month", "orders", "revenue"])
    for month, (count, total) in _months(db, year).items():
        writer.writerow([f"{year}-{month:02}", count, total])
    disposition = f'attachment; filename="sales-{year}.csv"'
    return Response(text.getvalue(), media_type="text/csv", headers={"Content-Disposition": disposition})


async def live_aggregate() -> None:
    """DEFECT slow-report: the summary table was not ported, so each request waits for the aggregate to be made anew."""
    if planted("slow-report"):
        await asyncio.sleep(SLOW_S)


@router.get("/top-products/", response_model=models.TopProducts, dependencies=[Depends(live_aggregate)])
def top_products(db: Db) -> object:
    sold = func.sum(order_lines.c.qty).label("sold")
    query = (
        select(order_lines.c.product_id.label("product"), products.c.name, sold)
        .join(products, products.c.id == order_lines.c.product_id)
        .join(orders, orders.c.id == order_lines.c.order_id)
        .where(orders.c.status != "new")
        .group_by(order_lines.c.product_id, products.c.name)
        .order_by(sold.desc(), order_lines.c.product_id)
        .limit(10)
    )
    return {"results": db.execute(query).all()}
