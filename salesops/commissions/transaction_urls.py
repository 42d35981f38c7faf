"""Addresses of transactions, within those of the commissions room."""

from django.urls import path

from salesops.commissions.views import transactions

urlpatterns = [
    path("transactions/", transactions.TransactionListView.as_view(), name="transaction_list"),
    path("transactions/new/", transactions.TransactionCreateView.as_view(), name="transaction_create"),
    path("transactions/deals/", transactions.DealOptionsView.as_view(), name="transaction_deals"),
    path("transactions/<int:pk>/", transactions.TransactionDetailView.as_view(), name="transaction_detail"),
    path("transactions/<int:pk>/void/", transactions.TransactionVoidView.as_view(), name="transaction_void"),
]
