"""The shop as it runs today: Django 5.2 and Django REST framework. This twin is the one that is trusted."""
