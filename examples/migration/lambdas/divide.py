"""divide, rewritten: it is called with {"dividend": 6, "divisor": 3} and knows nothing of HTTP."""


def handler(event, context):
    dividend, divisor = event["dividend"], event["divisor"]
    if divisor == 0:
        return {"problem": "nothing can be divided by zero"}
    quotient = dividend / divisor
    return {"quotient": int(quotient) if quotient == int(quotient) else quotient}
