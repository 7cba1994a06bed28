"""The AWS adapter: the raw log in S3, everything else in DynamoDB and SQS, jobs on Step Functions.

Nothing is imported here: a function imports the modules it needs, and its cold start pays for no other.
"""
