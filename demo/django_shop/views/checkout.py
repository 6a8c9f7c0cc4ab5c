"""Shipping quotes, the cart, and orders."""

from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from rest_framework import generics, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from demo.django_shop.models import OrderLine
from demo.django_shop.serializers import (
    CartItemSerializer,
    OrderDetailSerializer,
    OrderSerializer,
    QuoteInput,
    QuoteSerializer,
)


class QuoteView(APIView):
    """Computes a price and stores nothing."""

    def post(self, request):
        data = QuoteInput(data=request.data)
        data.is_valid(raise_exception=True)
        weight = data.validated_data["weight_g"]
        quote = {
            **data.validated_data,
            "price": Decimal("3.90") + Decimal(weight) * Decimal("0.002"),
            "arrives_within": timedelta(days=2, hours=weight // 1_000),
        }
        return Response(QuoteSerializer(quote).data)


class CartView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        items = list(request.user.cart.select_related("product"))
        total = sum((item.product.price * item.qty for item in items), Decimal("0.00"))
        return Response({"items": CartItemSerializer(items, many=True).data, "total": f"{total:.2f}"})


class CartItemCreateView(generics.CreateAPIView):
    permission_classes = (IsAuthenticated,)
    serializer_class = CartItemSerializer

    def perform_create(self, serializer):
        serializer.save(user=self.request.user)

    def get_success_headers(self, data):
        return {}


class CartItemView(generics.DestroyAPIView):
    lookup_field = "id"
    permission_classes = (IsAuthenticated,)

    def get_queryset(self):
        return self.request.user.cart.all()


class OrderListView(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        orders = request.user.orders.order_by("-id")
        return Response({"count": orders.count(), "results": OrderSerializer(orders[:10], many=True).data})

    def post(self, request):
        with transaction.atomic():
            items = list(request.user.cart.select_related("product"))
            if not items:
                return Response({"detail": "The cart is empty."}, status=status.HTTP_400_BAD_REQUEST)
            total = sum((item.product.price * item.qty for item in items), Decimal("0.00"))
            order = request.user.orders.create(total=total, created_at=timezone.now())
            OrderLine.objects.bulk_create(
                OrderLine(order=order, product=item.product, qty=item.qty, unit_price=item.product.price) for item in items
            )
            request.user.cart.all().delete()
        return Response(OrderDetailSerializer(order).data, status=status.HTTP_201_CREATED)


class OrderView(generics.RetrieveAPIView):
    lookup_field = "id"
    permission_classes = (IsAuthenticated,)
    serializer_class = OrderDetailSerializer

    def get_queryset(self):
        return self.request.user.orders.all()
