"""What changes in the commissions room: plans, transactions, calculations, statements, payroll."""
