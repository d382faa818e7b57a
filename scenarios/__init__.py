"""What is provoked in a lab; each scenario only acts and records."""
