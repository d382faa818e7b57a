"""Recorded evidence that was judged wrongly once: a row for each, in its own sentence.

`tests.checks.test_verdict_cases` judges them. To add one: a function that makes the evidence,
beneath `@row` with the requirement, the sentence and the verdict that is right.
"""
