"""What the console is shown beside the API: dead letters, receipts and examples, in bounded pages."""
