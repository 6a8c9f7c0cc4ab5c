"""What the shop sells, to whom, and the record table of the benchmark operations."""

from django.conf import settings
from django.db import models


class Category(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    position = models.IntegerField()

    class Meta:
        ordering = ("position", "id")


class Supplier(models.Model):
    name = models.CharField(max_length=80)
    country = models.CharField(max_length=2)
    lead_time_days = models.IntegerField()


class Product(models.Model):
    name = models.CharField(max_length=120)
    category = models.ForeignKey(Category, models.PROTECT, related_name="products")
    supplier = models.ForeignKey(Supplier, models.PROTECT)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.IntegerField()
    description = models.TextField()
    added_at = models.DateTimeField()
    counted_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)


class Review(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="reviews")
    author = models.CharField(max_length=80)
    stars = models.IntegerField()
    text = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)


class Profile(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    display_name = models.CharField(max_length=80)


class CartItem(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="cart")
    product = models.ForeignKey(Product, models.CASCADE)
    qty = models.IntegerField()

    class Meta:
        ordering = ("id",)


class Order(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="orders")
    status = models.CharField(max_length=20, default="new")
    total = models.DecimalField(max_digits=12, decimal_places=2)
    created_at = models.DateTimeField()


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT)
    qty = models.IntegerField()
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        ordering = ("id",)


class Link(models.Model):
    slug = models.SlugField(unique=True)
    product = models.ForeignKey(Product, models.CASCADE)


class Record(models.Model):
    label = models.CharField(max_length=60)
    value = models.IntegerField()
