"""multiply, rewritten: it is called with {"a": 6, "b": 3}."""


def handler(event, context):
    a, b = event["a"], event["b"]
    return {"operation": "multiply", "a": a, "b": b, "result": a * b}
