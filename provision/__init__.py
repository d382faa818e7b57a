"""The two guides as executable steps."""
