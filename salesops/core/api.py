"""What all API views share."""

from rest_framework.pagination import LimitOffsetPagination


class BoundedPagination(LimitOffsetPagination):
    """Pages of at most 200 rows."""

    default_limit = 50
    max_limit = 200
