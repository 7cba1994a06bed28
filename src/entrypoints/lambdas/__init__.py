"""The Lambda functions: what AWS sends to the services of the core, and their answers back."""
