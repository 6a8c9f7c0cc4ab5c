"""What staff reads: sales by month as JSON and as CSV, and the products that sold best."""

import csv
from decimal import ROUND_HALF_UP, Decimal

from django.db.models import Sum
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.permissions import IsAdminUser
from rest_framework.response import Response
from rest_framework.views import APIView

from demo.django_shop.models import Order, OrderLine
from demo.seed_data import SALES_YEAR


class ReportInput(serializers.Serializer):
    year = serializers.IntegerField(min_value=2000, max_value=2100, default=SALES_YEAR)


def _months(year):
    sales = {month: [0, Decimal("0.00")] for month in range(1, 13)}
    # Only settled orders count: a report never moves while orders come in.
    for created_at, total in Order.objects.exclude(status="new").values_list("created_at", "total"):
        if created_at.year == year:
            sales[created_at.month][0] += 1
            sales[created_at.month][1] += total
    return sales


def _year(request):
    data = ReportInput(data=request.query_params)
    data.is_valid(raise_exception=True)
    return data.validated_data["year"]


class SalesView(APIView):
    permission_classes = (IsAdminUser,)

    def get(self, request):
        year = _year(request)
        months = _months(year)
        orders = sum(count for count, _ in months.values())
        revenue = sum((total for _, total in months.values()), Decimal("0.00"))
        average = (revenue / orders).quantize(Decimal("0.01"), ROUND_HALF_UP) if orders else None
        return Response(
            {
                "year": year,
                "orders": orders,
                "revenue": str(revenue),
                "average": None if average is None else str(average),
                "months": [
                    {"month": month, "orders": count, "revenue": str(total)} for month, (count, total) in months.items()
                ],
            }
        )


class SalesCsvView(APIView):
    permission_classes = (IsAdminUser,)

    def get(self, request):
        year = _year(request)
        response = HttpResponse(content_type="text/csv")
        response["Content-Disposition"] = f'attachment; filename="sales-{year}.csv"'
        writer = csv.writer(response)
        writer.writerow(["month", "orders", "revenue"])
        for month, (count, total) in _months(year).items():
            writer.writerow([f"{year}-{month:02}", count, total])
        return response


class TopProductsView(APIView):
    def get(self, request):
        rows = (
            OrderLine.objects.exclude(order__status="new")
            .values("product_id", "product__name")
            .annotate(sold=Sum("qty"))
            .order_by("-sold", "product_id")[:10]
        )
        return Response(
            {"results": [{"product": row["product_id"], "name": row["product__name"], "sold": row["sold"]} for row in rows]}
        )
