"""How the shop's rows look on the wire, and what it accepts."""

from django.contrib.auth import get_user_model
from rest_framework import serializers

from demo.django_shop.models import CartItem, Category, Order, OrderLine, Product, Record, Review, Supplier


class LoginInput(serializers.Serializer):
    username = serializers.CharField(max_length=80)
    password = serializers.CharField(max_length=80)


class AccountSerializer(serializers.ModelSerializer):
    display_name = serializers.CharField(source="profile.display_name")

    class Meta:
        model = get_user_model()
        fields = ("id", "username", "email", "display_name", "is_staff", "date_joined")


class CurrencyInput(serializers.Serializer):
    currency = serializers.ChoiceField(choices=("EUR", "USD", "GBP"))


class CategorySerializer(serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ("id", "slug", "name")


class SupplierSerializer(serializers.ModelSerializer):
    class Meta:
        model = Supplier
        fields = ("id", "name", "country", "lead_time_days")


class ProductListSerializer(serializers.ModelSerializer):
    category = serializers.SlugRelatedField("slug", read_only=True)

    class Meta:
        model = Product
        fields = ("id", "name", "category", "price", "in_stock")

    in_stock = serializers.SerializerMethodField()

    def get_in_stock(self, product):
        return product.stock > 0


class ProductSerializer(serializers.ModelSerializer):
    category = CategorySerializer()

    class Meta:
        model = Product
        fields = ("id", "name", "description", "category", "supplier", "price", "stock", "added_at")


class ReviewSerializer(serializers.ModelSerializer):
    class Meta:
        model = Review
        fields = ("id", "author", "stars", "text", "created_at")


class SearchInput(serializers.Serializer):
    q = serializers.CharField(min_length=2, max_length=60)


class QuoteInput(serializers.Serializer):
    postcode = serializers.CharField(max_length=10)
    weight_g = serializers.IntegerField(min_value=1, max_value=30_000)


class QuoteSerializer(serializers.Serializer):
    postcode = serializers.CharField()
    weight_g = serializers.IntegerField()
    price = serializers.DecimalField(max_digits=8, decimal_places=2)
    arrives_within = serializers.DurationField()


class CartItemSerializer(serializers.ModelSerializer):
    product = serializers.PrimaryKeyRelatedField(queryset=Product.objects.all())
    qty = serializers.IntegerField(min_value=1, max_value=99)
    unit_price = serializers.DecimalField(source="product.price", max_digits=10, decimal_places=2, read_only=True)

    class Meta:
        model = CartItem
        fields = ("id", "product", "qty", "unit_price")


class OrderLineSerializer(serializers.ModelSerializer):
    class Meta:
        model = OrderLine
        fields = ("product", "qty", "unit_price")


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ("id", "status", "total", "created_at")


class OrderDetailSerializer(serializers.ModelSerializer):
    lines = OrderLineSerializer(many=True)

    class Meta:
        model = Order
        fields = ("id", "status", "total", "created_at", "lines")


class RecordSerializer(serializers.ModelSerializer):
    value = serializers.IntegerField(min_value=0, max_value=1_000_000)

    class Meta:
        model = Record
        fields = ("id", "label", "value")
